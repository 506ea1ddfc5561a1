"""The training slices: SPIDER's pictures, masks and points on the canonical grid, decoded once.

The kinds of SPIDER (folders of ``data/README.md``); cords (``cords``) and phantoms (``phantoms``) join them:
  space      T2 SPACE slices with masks of disc, vertebra and canal; posterior disc points where masks give them
  t2, t1     ordinary middle slices with the points of the five lumbar levels; no masks
  vertebrae  T1/T2 slices with vertebra masks only
Everything is 8-bit, isotropic where the spacing can be trusted, the long side ``long_side_px``.
"""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from segmentation.preprocess import canonical_size, resize

UNKNOWN = 255
"""Label of a pixel about which nothing is known."""
CLASSES = ("disc", "vertebra", "spinal_canal", "sacrum", "spinal_cord", "ilium", "joint_space")
"""Structures of a training slice; a label is a place here plus 1, the cord's pixels being canal too."""
LUMBAR_LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
"""Levels that SPIDER has points for, cranial to caudal."""
LEVELS = (*LUMBAR_LEVELS, "C2-C3", "C3-C4", "C4-C5", "C5-C6", "C6-C7", "C7-T1")
"""Levels that a training slice may have points of."""
DRAWN = (True, True, True, False, False, False, False)
"""What SPIDER's masks label: disc, vertebra and canal (its cord not told apart)."""
NOTHING = (False,) * len(CLASSES)
"""What a slice without masks labels."""
_MIN_VERTEBRA_PIXELS = 500  # data/README.md: slices with fewer are far lateral


@dataclass(frozen=True)
class TrainingSlice:
    """One slice on the canonical grid.

    Attributes:
        name: File it came from, relative to the spider folder.
        patient: SPIDER's patient number, or a phantom's seed.
        kind: ``space``, ``t2``, ``t1``, ``vertebrae``, or a kind of phantom or cord (``phantoms``, ``cords``).
        image: (H, W) uint8.
        labels: (H, W) uint8: 0 background, 1 to 7 ``CLASSES``, 255 unknown.
        known: Whether each of ``CLASSES`` is labelled wherever it is seen.
        points: (11, 2) float32 (x, y) of ``LEVELS`` in canonical pixels, nan for a level that is not in view; nan
            throughout when none is known.
        weight: Of its pixels against drawn masks.
        group: Series of one geometry that it belongs to; empty when it stands alone.
        position: Place within the group: the slices at the places beside it are its neighbours.
    """

    name: str
    patient: int
    kind: str
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    known: tuple[bool, ...]
    points: NDArray[np.float32]
    weight: float = 1.0
    group: str = ""
    position: int = 0

    @property
    def has_points(self) -> bool:
        """Whether the points of the levels in view are known."""
        return bool(np.isfinite(self.points).any())


def load_slices(data_dir: Path, cache_dir: Path, long_side_px: int) -> list[TrainingSlice]:
    """Return all slices, from the cache when it is there, else decoded and cached."""
    cache = cache_dir / f"spider2_{long_side_px}.npz"
    if cache.is_file():
        return read_cache(cache)
    spider = data_dir / "spider"
    slices = [
        *_space(spider, long_side_px),
        *_midsagittal(spider, long_side_px),
        *_vertebrae(spider, long_side_px),
    ]
    cache_dir.mkdir(parents=True, exist_ok=True)
    write_cache(cache, slices)
    return slices


def _space(spider: Path, side: int) -> Iterable[TrainingSlice]:
    by_patient: dict[int, list[TrainingSlice]] = {}
    for row in _rows(spider / "space.csv"):
        spacing = (float(row["row_spacing_mm"]), float(row["col_spacing_mm"]))
        image = _to_grid(spider / "space" / "images" / row["file"], spacing, side)
        labels = _to_grid(spider / "space" / "masks" / row["file"], spacing, side, is_label=True)
        item = TrainingSlice(
            f"space/images/{row['file']}",
            int(row["patient"]),
            "space",
            image,
            labels,
            DRAWN,
            no_points(),
            group=f"space/{row['patient']}",
            position=int(row["slice"]) // 2,  # every second slice of the volume is there
        )
        by_patient.setdefault(item.patient, []).append(item)
    for items in by_patient.values():
        canal = [int((item.labels == 3).sum()) for item in items]
        for item, pixels in zip(items, canal, strict=True):
            is_middle = pixels >= 0.7 * max(canal)
            yield replace(item, points=points_from_labels(item.labels)) if is_middle else item


def _midsagittal(spider: Path, side: int) -> Iterable[TrainingSlice]:
    points: dict[str, dict[str, tuple[float, float]]] = {}
    for row in _rows(spider / "disc_points.csv"):
        place = (float(row["relative_x"]), float(row["relative_y"]))
        points.setdefault(row["file"], {})[row["level"]] = place
    rows = {row["file"]: row for row in _rows(spider / "midsagittal.csv")}
    for name, row in rows.items():
        kind = row["sequence"].lower()
        if kind not in {"t1", "t2"}:
            continue
        partner = f"{row['patient']}_t2.png"
        if kind == "t1" and not (partner in rows and _same_grid(row, rows[partner])):
            continue
        if len(points.get(partner, {})) != len(LUMBAR_LEVELS):
            continue
        spacing = (float(row["row_spacing_mm"]), float(row["col_spacing_mm"]))
        is_trusted = row["spacing_trusted"] == "yes"
        image = _to_grid(spider / "midsagittal" / name, spacing if is_trusted else None, side)
        size = np.array([image.shape[1], image.shape[0]])
        places = np.array([points[partner][level] for level in LUMBAR_LEVELS]) * size - 0.5
        labels = np.full(image.shape, UNKNOWN, dtype=np.uint8)
        yield TrainingSlice(
            f"midsagittal/{name}",
            int(row["patient"]),
            kind,
            image,
            labels,
            NOTHING,
            lumbar_points(places),
        )


def _vertebrae(spider: Path, side: int) -> Iterable[TrainingSlice]:
    for row in _rows(spider / "vertebrae.csv"):
        if int(row["mask_pixels"]) <= _MIN_VERTEBRA_PIXELS:
            continue
        image = _to_grid(spider / "vertebrae" / "images" / row["file"], None, side)
        mask = _to_grid(spider / "vertebrae" / "masks" / row["file"], None, side, is_label=True)
        labels = np.where(mask > 0, 2, 0).astype(np.uint8)
        known = (False, True, *NOTHING[2:])
        yield TrainingSlice(
            f"vertebrae/images/{row['file']}", int(row["patient"]), "vertebrae", image, labels, known, no_points()
        )


def points_from_labels(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Read the posterior margins of L1-L2 to L5-S1 off a middle slice's mask, or nan when they are not certain.

    SPIDER labels every disc from L5-S1 upward, so the lowest disc of a middle slice is L5-S1. Certain means: at
    least five discs, evenly spaced (neighbouring gaps within a factor of 1.7), all reaching near the canal.

    Args:
        labels: (H, W), 1 disc, 3 canal.

    Returns:
        As ``TrainingSlice.points``.
    """
    canal, components = labels == 3, ndimage.label(labels == 1)[0]
    if not canal.any():
        return no_points()
    distance = ndimage.distance_transform_edt(~canal)
    found = []
    for index in range(1, int(components.max()) + 1):
        y, x = np.nonzero(components == index)
        if len(y) < 80:  # specks: a disc has some 400 pixels on the canonical grid
            continue
        near = distance[y, x] <= np.quantile(distance[y, x], 0.08)
        found.append((float(x[near].mean()), float(y[near].mean()), float(distance[y, x].min())))
    lowest = sorted(found, key=lambda item: item[1])[-5:]
    gaps = np.diff([y for _, y, _ in lowest])
    if len(lowest) < 5 or gaps.max() > 1.7 * gaps.min() or max(d for *_, d in lowest) > 12:
        return no_points()
    return lumbar_points(np.array([[x, y] for x, y, _ in lowest]))


def lumbar_points(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return ``TrainingSlice.points`` of a slice with the five (x, y) of ``LUMBAR_LEVELS`` and no other level."""
    placed = no_points()
    placed[: len(LUMBAR_LEVELS)] = points
    return placed


def no_points() -> NDArray[np.float32]:
    """Return the points of a slice where none are known."""
    return np.full((len(LEVELS), 2), np.nan, dtype=np.float32)


def _same_grid(one: dict[str, str], other: dict[str, str]) -> bool:
    keys = ("rows", "cols", "row_spacing_mm", "col_spacing_mm")
    return all(float(one[key]) == float(other[key]) for key in keys)


def _to_grid(
    file: Path, spacing_mm: tuple[float, float] | None, side: int, *, is_label: bool = False
) -> NDArray[np.uint8]:
    """Decode a picture and bring it to the canonical grid."""
    picture = Image.open(file)
    rows, columns = canonical_size(picture.height, picture.width, spacing_mm, side)
    if is_label:
        return np.asarray(picture.resize((columns, rows), Image.Resampling.NEAREST))
    pixels = torch.from_numpy(np.array(picture.convert("L"), dtype=np.float32))[None, None]
    return resize(pixels, (rows, columns))[0, 0].round().clamp(0, 255).numpy().astype(np.uint8)


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write_cache(cache: Path, slices: list[TrainingSlice]) -> None:
    """Store slices in one file, whole or not at all."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for index, item in enumerate(slices):
        arrays[f"image_{index}"], arrays[f"labels_{index}"] = item.image, item.labels
        arrays[f"points_{index}"] = item.points
    listing = [[item.name, item.patient, item.kind, item.known, item.group, item.position] for item in slices]
    arrays["listing"] = np.array(json.dumps(listing))
    part = cache.with_name(cache.stem + ".part.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.replace(cache)


def read_cache(cache: Path) -> list[TrainingSlice]:
    """Return stored slices."""
    with np.load(cache) as arrays:
        listing = json.loads(str(arrays["listing"]))
        return [
            TrainingSlice(
                name,
                patient,
                kind,
                arrays[f"image_{index}"],
                arrays[f"labels_{index}"],
                tuple(known),
                arrays[f"points_{index}"],
                group=group,
                position=position,
            )
            for index, (name, patient, kind, known, group, position) in enumerate(listing)
        ]
