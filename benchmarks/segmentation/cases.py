"""What is scored: SPIDER's slices by patient, on their own pixels, with neighbours for a 2.5-D network."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.types import Spacing
from segmentation.predict import SliceSegmenter
from segmentation.types import SliceMaps

THRESHOLD = 0.5
"""A pixel belongs to a structure from this probability on; nothing else is done to the masks."""
SPACE_LABELS = {"disc": 1, "vertebra": 2, "spinal_canal": 3}
"""Numbers of the T2 SPACE masks (data/README.md)."""
MIDDLE_SHARE = 0.7
"""A slice is a middle one from this share of the patient's largest canal area on, as in training."""
LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
_MIN_VERTEBRA_PIXELS = 500  # data/README.md: slices with fewer are far lateral
_USUAL_STEP = 2  # the table has every second slice of a volume


@dataclass(frozen=True)
class SpacePatient:
    """The T2 SPACE slices of a patient, in order of slice number.

    Attributes:
        patient: SPIDER's number.
        files: N file names.
        images: (N, H, W) grey values.
        labels: (N, H, W), numbers of ``SPACE_LABELS``.
        neighbours: (N, 2, H, W): the slice before and the one after; the slice itself where there is none.
        spacing: Row and column, mm.
    """

    patient: int
    files: tuple[str, ...]
    images: NDArray[np.float32]
    labels: NDArray[np.uint8]
    neighbours: NDArray[np.float32]
    spacing: tuple[float, float]

    def reference(self, structure: str) -> NDArray[np.bool_]:
        """Return (N, H, W), the expert's mask."""
        return np.asarray(self.labels == SPACE_LABELS[structure])

    def middle(self, share: float = MIDDLE_SHARE) -> NDArray[np.intp]:
        """Return the slices whose canal area is at least ``share`` of the largest."""
        area = self.reference("spinal_canal").sum((1, 2))
        return np.flatnonzero(area >= share * max(1, int(area.max())))


@dataclass(frozen=True)
class VertebraSlice:
    """An ordinary T1 or T2 slice with vertebra masks: (H, W) ``image`` and ``mask``."""

    patient: int
    sequence: str
    image: NDArray[np.float32]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class PointSlice:
    """A T2 middle slice with the posterior points of ``LEVELS``.

    Attributes:
        patient: SPIDER's number.
        image: (H, W) grey values.
        spacing: Of the pixels, None where the table does not trust it.
        points: (5, 2), (x, y) of ``LEVELS`` in pixels of the slice.
    """

    patient: int
    image: NDArray[np.float32]
    spacing: Spacing | None
    points: NDArray[np.float64]


def space_patients(data: Path, patients: set[int] | None = None) -> Iterator[SpacePatient]:
    """Yield the patients of the T2 SPACE table, one at a time; None takes all."""
    folder = data / "spider" / "space"
    for patient, rows in _by_patient(data / "spider" / "space.csv").items():
        if patients is not None and patient not in patients:
            continue
        rows.sort(key=lambda row: int(row["slice"]))
        images = np.stack([_grey(folder / "images" / row["file"]) for row in rows])
        yield SpacePatient(
            patient,
            tuple(row["file"] for row in rows),
            images,
            np.stack([_grey(folder / "masks" / row["file"]).astype(np.uint8) for row in rows]),
            with_neighbours(images, [int(row["slice"]) for row in rows]),
            (float(rows[0]["row_spacing_mm"]), float(rows[0]["col_spacing_mm"])),
        )


def with_neighbours(images: NDArray[np.float32], numbers: list[int]) -> NDArray[np.float32]:
    """Return (N, 2, H, W), the neighbours of (N, H, W) slices.

    Args:
        images: In order.
        numbers: Of the slices in their volume; a step of more than two is a gap, over which nobody is a neighbour.
    """
    is_near = np.diff(numbers) <= _USUAL_STEP
    before = [index - 1 if index and is_near[index - 1] else index for index in range(len(images))]
    after = [index + 1 if index < len(is_near) and is_near[index] else index for index in range(len(images))]
    return np.stack([images[before], images[after]], axis=1)


def vertebra_slices(data: Path, patients: set[int] | None = None) -> Iterator[VertebraSlice]:
    """Yield the 25 slices whose vertebra mask is more than the far lateral edge."""
    folder = data / "spider" / "vertebrae"
    for patient, rows in _by_patient(data / "spider" / "vertebrae.csv").items():
        if patients is not None and patient not in patients:
            continue
        for row in rows:
            if int(row["mask_pixels"]) > _MIN_VERTEBRA_PIXELS:
                mask = _grey(folder / "masks" / row["file"]) > 0
                sequence = row["series"].rpartition("_")[2].upper()
                yield VertebraSlice(patient, sequence, _grey(folder / "images" / row["file"]), mask)


def point_slices(data: Path, patients: set[int] | None = None) -> Iterator[PointSlice]:
    """Yield the T2 middle slices whose five posterior points are known."""
    listed = {row["file"]: row for row in _rows(data / "spider" / "midsagittal.csv")}
    by_file: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for row in _rows(data / "spider" / "disc_points.csv"):
        by_file[row["file"]][row["level"]] = row
    for name, levels in by_file.items():
        patient = int(listed[name]["patient"])
        if patients is not None and patient not in patients:
            continue
        image = _grey(data / "spider" / "midsagittal" / name)
        size = np.array([image.shape[1], image.shape[0]])
        places = [[levels[level]["relative_x"], levels[level]["relative_y"]] for level in LEVELS]
        yield PointSlice(patient, image, _trusted(listed[name]), np.array(places, float) * size - 0.5)


def look(
    model: SliceSegmenter,
    images: NDArray[np.float32],
    spacing: Spacing | None,
    neighbours: NDArray[np.float32] | None = None,
) -> SliceMaps:
    """Segment (N, H, W) slices; neighbours are shown only to networks that were trained with them."""
    if neighbours is None or not model.config.context_slices:
        return model.segment_slices(images, spacing)
    return model.segment_slices(images, spacing, neighbours)


def masks_of(maps: SliceMaps, structure: str) -> NDArray[np.bool_] | None:
    """Return (N, H, W), the mask of a structure; None where the weights do not have it."""
    if structure not in maps.structures:
        return None
    return np.asarray(maps.probabilities[:, maps.structures.index(structure)] >= THRESHOLD)


def _trusted(row: dict[str, str]) -> Spacing | None:
    if row["spacing_trusted"] != "yes":
        return None
    return Spacing(float(row["row_spacing_mm"]), float(row["col_spacing_mm"]))


def _grey(file: Path) -> NDArray[np.float32]:
    return np.asarray(Image.open(file).convert("L"), dtype=np.float32)


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _by_patient(file: Path) -> dict[int, list[dict[str, str]]]:
    groups: dict[int, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(file):
        groups[int(row["patient"])].append(row)
    return groups
