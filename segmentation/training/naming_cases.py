"""Held-out middle slices with their true numbering: what naming is fitted on.

Data: ``spider/disc_points.csv``, T2 middle slices of 172 patients with five posterior disc points each; every
slice is seen by the model of the fold in which its patient is held out.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anatomy import load_protocol
from imaging.types import Spacing
from runtime.folds import FOLD_COUNT, spider_folds
from runtime.settings import load_settings
from runtime.weights import open_weights
from segmentation.chain import DiscChain
from segmentation.classes import VERTEBRA, classify, kinds_of
from segmentation.frame import Points, SliceFrame
from segmentation.instances import chain_discs
from segmentation.junction import GREY, cut_patch, places_of
from segmentation.middle import content_box, sacrum_of
from segmentation.scan import SliceNetwork
from segmentation.solver import FloatArray
from segmentation.training.map_cache import CachedNetwork
from segmentation.types import SliceMaps
from segmentation.view import View, look_around

LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
_ON_DISC = 0.45
"""A reference point belongs to a disc whose posterior end lies within this many pitches (half-way between two
discs is 0.5)."""
_REGULAR = (0.6, 1.5)
"""Steps within these shares of the pitch join discs of neighbouring levels (``chain``, ``doubts``)."""


@dataclass(frozen=True, eq=False)
class ReferenceSlice:
    """A middle slice with its reference.

    Attributes:
        file: File name.
        patient: Patient number.
        fold: Fold in which the patient is held out.
        image: (rows, columns) grey values.
        spacing: None where it is not trusted.
        points_px: Level -> (x, y) in pixels.
    """

    file: str
    patient: int
    fold: int
    image: NDArray[np.float32]
    spacing: Spacing | None
    points_px: dict[str, Points]

    @property
    def points(self) -> Points:
        """Return (5, 2) points in the plane, cranial to caudal."""
        return SliceFrame.of(self.spacing).to_plane([self.points_px[name] for name in LEVELS])


@dataclass(frozen=True, eq=False)
class NamingCase:
    """A slice as naming sees it.

    Attributes:
        file: File name.
        patient: Patient number.
        fold: Fold in which the patient is held out.
        chain: Its discs; at least one.
        view: Their surroundings, without a look at the junction.
        patches: Patches around each disc and below the lowest one, (n + 1, C, pixels).
        channels: Names of the C layers.
        states: True state of each disc, None where it is not known.
        truth: (disc, state) of the disc that its reference point fits best; None when none fits.
    """

    file: str
    patient: int
    fold: int
    chain: DiscChain
    view: View
    patches: FloatArray
    channels: tuple[str, ...]
    states: tuple[int | None, ...]
    truth: tuple[int, int] | None


def read_references(data_dir: Path, folds: tuple[int, ...] | None = None) -> Iterator[ReferenceSlice]:
    """Read the middle slices with points, all or those of some folds, in the order of the table."""
    spider = data_dir / "spider"
    fold_of = spider_folds()
    spacings = _spacings(spider / "midsagittal.csv")
    for file, points in _points(spider / "disc_points.csv").items():
        patient = int(file.split("_")[0])
        if folds is not None and fold_of[patient] not in folds:
            continue
        image = np.asarray(Image.open(spider / "midsagittal" / file).convert("L"), dtype=np.float32)
        size = np.array([image.shape[1], image.shape[0]])
        pixels = {name: np.array(point) * size - 0.5 for name, point in points.items()}
        yield ReferenceSlice(file, patient, fold_of[patient], image, spacings[file], pixels)


def open_cached(fold: int, models: Path) -> CachedNetwork:
    """Return the fold's network behind the cache of its maps."""
    name = f"fold{fold}"

    def load() -> SliceNetwork:
        from segmentation.predict import SliceSegmenter

        return SliceSegmenter.load(weights_root=models, name=name)

    return CachedNetwork(open_weights(name, models).checksum, load)


def collect_cases(models: Path) -> list[NamingCase]:
    """Return the cases of all five folds; the networks' maps are kept in ``runs/levels``."""
    names = load_protocol("lumbar").named_levels
    cases = []
    for fold in range(FOLD_COUNT):
        network = open_cached(fold, models)
        for reference in read_references(load_settings().data_dir, (fold,)):
            maps = network.segment_slices(reference.image[None], reference.spacing)
            case = build_case(reference, maps, names)
            if case is not None:
                cases.append(case)
    return cases


def build_case(reference: ReferenceSlice, maps: SliceMaps, names: tuple[str, ...]) -> NamingCase | None:
    """Return the case of a slice; None when the network outlined no disc."""
    frame = SliceFrame.of(reference.spacing)
    classes = classify(maps.structures, maps.probabilities[0], kinds_of(load_protocol("lumbar")))
    chain = chain_discs(classes, frame)
    if not chain.discs:
        return None
    view = look_around(
        chain,
        content_box(reference.image),
        classes.classes == VERTEBRA,
        frame,
        maps,
        sacrum=sacrum_of(classes, maps),
    )
    channels = (GREY, *maps.structures)
    patches = [
        np.stack([cut_patch(place, chain.pitch, reference.image, maps, frame, (name,)) for name in channels])
        for place in places_of(chain)
    ]
    truth = true_disc(chain, reference.points, names)
    states = (None,) * len(chain.discs) if truth is None else true_states(chain, truth, len(names))
    return NamingCase(
        reference.file,
        reference.patient,
        reference.fold,
        chain,
        view,
        np.stack(patches).astype(np.float32),
        channels,
        states,
        truth,
    )


def true_disc(chain: DiscChain, points: Points, names: tuple[str, ...]) -> tuple[int, int] | None:
    """Return (disc, state) of the disc that a reference point fits best; None when none lies near one."""
    ends = np.array([disc.posterior for disc in chain.discs])
    distances = np.linalg.norm(ends[:, None] - points[None], axis=2) / chain.pitch
    disc, level = np.unravel_index(int(distances.argmin()), distances.shape)
    if distances[disc, level] > _ON_DISC:
        return None
    return int(disc), 1 + names.index(LEVELS[level])


def true_states(chain: DiscChain, truth: tuple[int, int], names: int) -> tuple[int | None, ...]:
    """Number the discs from a known one as far as the steps are regular."""
    states: list[int | None] = [None] * len(chain.discs)
    start, state = truth
    states[start] = state
    for way in (1, -1):
        current, place = state, start
        while 0 <= place + way < len(states):
            step = chain.steps[min(place, place + way)] / chain.pitch
            if not _REGULAR[0] <= step <= _REGULAR[1]:
                break
            place, current = place + way, current + way
            states[place] = int(np.clip(current, 0, names + 1))
    return tuple(states)


def _points(file: Path) -> dict[str, dict[str, tuple[float, float]]]:
    """Return file -> level -> (relative x, relative y)."""
    points: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    for row in _rows(file):
        points[row["file"]][row["level"]] = (float(row["relative_x"]), float(row["relative_y"]))
    return dict(points)


def _spacings(file: Path) -> dict[str, Spacing | None]:
    """Return file -> spacing where it is trusted, else None."""
    return {
        row["file"]: Spacing(float(row["row_spacing_mm"]), float(row["col_spacing_mm"]))
        if row["spacing_trusted"] == "yes"
        else None
        for row in _rows(file)
    }


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
