"""Scores of held-out patients, one row each; the definitions of all figures.

Dice         2 |A and B| / (|A| + |B|), over all labelled slices of a patient together, on the original pixels,
             masks at probability 0.5, nothing removed; mean foreground: of disc, vertebra and canal
HD95         95th percentile of the distances between the two outlines, both ways, mean over the slices of a
             patient, in mm by the table's spacing (estimated rows for seven patients, data/README.md); a slice
             where one of both is empty has no distance: ``missed`` counts it
missed       share of a patient's slices and structures that the expert drew and the network did not see at all
thin disc    Dice of the lowest quarter by height index, and of the others (``rare``)
narrow canal Dice of the lowest quarter by width at disc levels, and of the others (``rare``)
points       share of posterior disc points whose raw heat-map peak lies within 0.3 mean level pitch of the
             reference; the consistency solver is measured elsewhere
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.segmentation.cases import (
    LEVELS,
    SPACE_LABELS,
    PointSlice,
    SpacePatient,
    look,
    masks_of,
    point_slices,
    space_patients,
    vertebra_slices,
)
from benchmarks.segmentation.metrics import Mask, dice, hd95_mm, known_mean
from benchmarks.segmentation.rare import Limits, Place, canal_places, disc_places, load_limits
from imaging.types import Spacing
from runtime.folds import spider_folds
from segmentation.predict import SliceSegmenter

STRUCTURES = tuple(SPACE_LABELS)
FOREGROUND = "SPACE mean foreground Dice"
WITHIN_PITCHES = 0.3
_NEAR_MIDLINE = 0.5  # of the largest vertebra area among the patient's slices; own choice
Models = Mapping[int, SliceSegmenter]
"""Fold -> the network that held it out."""


@dataclass(frozen=True)
class Row:
    """One scored patient: ``task`` groups rows into a figure."""

    task: str
    patient: int
    value: float


def score_all(data: Path, models: Models) -> list[Row]:
    """Score everything the data folder has for the folds of ``models``."""
    limits = load_limits(data)
    return [*score_space(data, models, limits), *score_vertebrae(data, models), *score_points(data, models)]


def score_space(data: Path, models: Models, limits: Limits | None = None) -> Iterator[Row]:
    """Score the T2 SPACE slices, whole patients at a time; rare structures apart where ``limits`` are given."""
    for case in space_patients(data, held_out(models)):
        masks = predict_space(models[spider_folds()[case.patient]], case)
        for task, value in space_figures(case, masks).items():
            yield Row(f"SPACE {task}", case.patient, value)
        if limits is not None:
            yield from _rare_rows(case, masks, limits)


def predict_space(model: SliceSegmenter, case: SpacePatient) -> dict[str, Mask]:
    """Return structure -> (N, H, W) mask of a patient."""
    maps = look(model, case.images, Spacing(*case.spacing), case.neighbours)
    found = {name: masks_of(maps, name) for name in STRUCTURES}
    return {name: mask for name, mask in found.items() if mask is not None}


def space_figures(case: SpacePatient, masks: Mapping[str, Mask]) -> dict[str, float]:
    """Return the figures of one patient over all slices."""
    figures: dict[str, float] = {}
    drawn = missed = 0
    for name, mask in masks.items():
        pairs = list(zip(mask, case.reference(name), strict=True))
        figures[f"{name} Dice"] = dice(mask, case.reference(name))
        figures[f"{name} HD95 mm"] = known_mean(hd95_mm(*pair, case.spacing) for pair in pairs)
        drawn += sum(bool(reference.any()) for _, reference in pairs)
        missed += sum(bool(reference.any() and not found.any()) for found, reference in pairs)
    figures["mean foreground Dice"] = known_mean(figures[f"{name} Dice"] for name in masks)
    figures["structures missed in a slice"] = missed / drawn if drawn else float("nan")
    return figures


def _rare_rows(case: SpacePatient, masks: Mapping[str, Mask], limits: Limits) -> Iterator[Row]:
    """Score rare and usual places of a patient, each group pooled."""
    groups = (
        ("disc", disc_places(case), limits.disc, "thin discs", "other discs"),
        ("spinal_canal", canal_places(case), limits.canal, "narrowed canal", "canal at other levels"),
    )
    for structure, found, limit, rare, usual in groups:
        places = list(found)
        for task, own in (
            (rare, [place for place in places if place.value <= limit]),
            (usual, [place for place in places if place.value > limit]),
        ):
            if own and structure in masks:
                value = pooled_dice(masks[structure], case.reference(structure), own)
                yield Row(f"SPACE {task} Dice", case.patient, value)


def pooled_dice(masks: Mask, reference: Mask, places: Iterable[Place]) -> float:
    """Return the Dice of (N, H, W) masks over the zones of some places together."""
    pairs = [(masks[p.slice_index][p.zone], reference[p.slice_index][p.zone]) for p in places]
    return dice(np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs]))


def score_vertebrae(data: Path, models: Models) -> Iterator[Row]:
    """Score vertebra masks on the ordinary T1 and T2 slices that have them, by sequence and together.

    Many slices are far lateral; those that show at least half of the patient's largest vertebra area are also told
    apart, as near the midline.
    """
    slices = vertebra_slices(data, held_out(models))
    for patient, group in groupby(slices, key=lambda item: item.patient):
        model = models[spider_folds()[patient]]
        pairs: dict[str, list[tuple[Mask, Mask]]] = {}
        for item in group:
            found = masks_of(look(model, item.image[None], None), "vertebra")
            if found is not None:
                pairs.setdefault(item.sequence, []).append((found[0].ravel(), item.mask.ravel()))
        for sequence, own in pairs.items():
            yield Row(f"{sequence} vertebra Dice", patient, _joined_dice(own))
        if pairs:
            everything = [pair for own in pairs.values() for pair in own]
            yield Row("T1 and T2 vertebra Dice", patient, _joined_dice(everything))
            widest = max(truth.sum() for _, truth in everything)
            near = [pair for pair in everything if pair[1].sum() >= _NEAR_MIDLINE * widest]
            yield Row("T1 and T2 vertebra Dice near the midline", patient, _joined_dice(near))


def score_points(data: Path, models: Models) -> Iterator[Row]:
    """Score the raw peaks of the level maps on T2 middle slices."""
    for item in point_slices(data, held_out(models)):
        away = peak_distances(models[spider_folds()[item.patient]], item)
        share = float(np.mean(away <= WITHIN_PITCHES))
        yield Row("T2 points within 0.3 pitch (raw peaks)", item.patient, share)
        yield Row("T2 points median distance, pitches (raw peaks)", item.patient, float(np.median(away)))


def peak_distances(model: SliceSegmenter, item: PointSlice) -> NDArray[np.float64]:
    """Return (5,) distances of the peaks from the points of ``LEVELS``, in mean level pitches."""
    maps = look(model, item.image[None], item.spacing)
    peaks = [_peak(maps.level_maps[0, maps.level_names.index(level)], maps.level_stride) for level in LEVELS]
    pitch = np.linalg.norm(np.diff(item.points, axis=0), axis=1).mean()
    return np.asarray(np.linalg.norm(np.stack(peaks) - item.points, axis=1) / pitch)


def held_out(models: Models) -> set[int]:
    """Return the patients that the networks have not seen."""
    return {patient for patient, fold in spider_folds().items() if fold in models}


def _joined_dice(pairs: list[tuple[Mask, Mask]]) -> float:
    return dice(np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs]))


def _peak(level_map: NDArray[np.float32], stride: tuple[float, float]) -> NDArray[np.float64]:
    """Return (x, y) of a map's largest value in pixels of the original slice."""
    row, column = np.unravel_index(int(level_map.argmax()), level_map.shape)
    return np.array([column * stride[1] + (stride[1] - 1) / 2, row * stride[0] + (stride[0] - 1) / 2])
