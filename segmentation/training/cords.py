"""Training slices with real masks of the spinal cord (``data/README.md``: ``sct_testing``, ``gm_challenge``).

Two kinds; everything but the cord is unknown:
  cord        sagittal slices of two cervical volumes of 1 mm voxels, a T1 and a T2
  cord_axial  axial T2* slices of eight sessions of six volunteers, and axial slices of the same two volumes
The manual masks hold the values 0 and 1 only. Their 1 is the whole cord, its grey matter not told apart: measured
here, 71 to 95 mm2 a slice on average over each volume. Beyond what was labelled the cord is unknown.

Small fields are set into black of ``LEAST_FIELD_MM``, so that a cord is as large here as in an ordinary field.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from imaging.phantom.picture import to_grey
from runtime.errors import StudyError
from runtime.folds import FOLD_COUNT
from segmentation.preprocess import canonical_size, resize
from segmentation.training.data import CLASSES, UNKNOWN, TrainingSlice, no_points

T = TypeVar("T", bound=np.generic)

LEAST_FIELD_MM = 150.0
"""Smallest field of view along the long side; the smallest of the axial series has 150 mm. Own choice."""
VOLUNTEERS = {"10062": 10001, "9418": 10002, "9584": 10003, "9604": 10004, "9669": 10005, "9709": 10006}
"""Volunteers of the challenge -> patient numbers, which SPIDER's (1 to 257) cannot be."""
VOLUMES = {"t1_t1w": 10007, "t2_t2": 10008}
"""Volumes of the testing data -> patient numbers; whether they show one person is not known."""
_SIDE_SHARE = 0.75  # of the canonical grid's long side, as the phantoms' necks (phantom_slices.yaml)
_STRIDE = {"sagittal": 3, "axial": 4}  # voxels of 1 mm from slice to slice of a group; own choice
_BESIDE_MM = 6  # sagittal slices beside the cord that are kept
_KNOWN = tuple(name == "spinal_cord" for name in CLASSES)
_CORD = CLASSES.index("spinal_cord") + 1


@dataclass(frozen=True)
class CordVolume:
    """A volume with its cord mask.

    Attributes:
        name: Of its file, without endings.
        patient: Number.
        image: (I, J, K) float32, i to the right, j to the front, k to the head.
        cord: (I, J, K) bool.
        spacing_mm: Of i, j and k.
    """

    name: str
    patient: int
    image: NDArray[np.float32]
    cord: NDArray[np.bool_]
    spacing_mm: tuple[float, float, float]


def cord_folds() -> dict[int, int]:
    """Return the fold of each patient number; the two volumes of the testing data share one."""
    folds = {patient: index % FOLD_COUNT for index, patient in enumerate(VOLUNTEERS.values())}
    return folds | dict.fromkeys(VOLUMES.values(), len(VOLUNTEERS) % FOLD_COUNT)


def load_cord_slices(data_dir: Path, long_side_px: int) -> list[TrainingSlice]:
    """Return all slices with a labelled cord.

    Args:
        data_dir: The data folder.
        long_side_px: Of the canonical grid.

    Raises:
        StudyError: If files are missing.
    """
    slices: list[TrainingSlice] = []
    for volume in sct_volumes(data_dir):
        slices += cord_slices(volume, "sagittal", long_side_px)
        slices += cord_slices(volume, "axial", long_side_px)
    for volume in challenge_volumes(data_dir):
        slices += cord_slices(volume, "axial", long_side_px, stride=1)
    return slices


def sct_volumes(data_dir: Path) -> list[CordVolume]:
    """Return the cervical T1 and T2 volumes."""
    folder = data_dir / "nifti" / "sct_testing"
    return [_read(folder / f"{name}.nii.gz", patient) for name, patient in VOLUMES.items()]


def challenge_volumes(data_dir: Path) -> list[CordVolume]:
    """Return the axial T2* volumes, one or two of each volunteer."""
    files = sorted((data_dir / "nifti" / "gm_challenge").glob("*_T2starw.nii.gz"))
    if not files:
        raise StudyError("gm_challenge: expected *_T2starw.nii.gz in nifti/gm_challenge, found none")
    numbers = [file.name.removeprefix("sub-").split("_")[0].split("Ses")[0] for file in files]
    return [_read(file, VOLUNTEERS[number]) for file, number in zip(files, numbers, strict=True)]


def cord_slices(
    volume: CordVolume, plane: str, long_side_px: int, *, stride: int | None = None
) -> Iterator[TrainingSlice]:
    """Yield the slices of a plane that lie within the labelled extent.

    Args:
        volume: Which.
        plane: ``sagittal`` (columns front to back, rows head to foot) or ``axial`` (columns from the patient's
            right to the left, rows front to back).
        long_side_px: Of the canonical grid.
        stride: Slices from one to its neighbour; those between form groups of their own.
    """
    step = stride or _STRIDE[plane]
    kind = "cord" if plane == "sagittal" else "cord_axial"
    for position, image, labels in plane_slices(volume, plane):
        spacing = in_plane_spacing(volume, plane)
        grey = torch.from_numpy(pad_field(to_grey(image), spacing, 0)).float()
        field = pad_field(labels, spacing, UNKNOWN)
        size = canonical_size(field.shape[0], field.shape[1], spacing, 16 * round(_SIDE_SHARE * long_side_px / 16))
        picture = Image.fromarray(field).resize(size[::-1], Image.Resampling.NEAREST)
        yield TrainingSlice(
            f"{kind}/{volume.name}/{position}",
            volume.patient,
            kind,
            resize(grey[None, None], size)[0, 0].round().clamp(0, 255).numpy().astype(np.uint8),
            np.array(picture),
            _KNOWN,
            no_points(),
            group=f"{kind}/{volume.name}/{position % step}",
            position=position // step,
        )


def plane_slices(volume: CordVolume, plane: str) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.uint8]]]:
    """Yield number, image (H, W) and labels (H, W) of the slices within the labelled extent."""
    labels = np.where(volume.cord, _CORD, 0).astype(np.uint8)
    heights = np.nonzero(volume.cord.any(axis=(0, 1)))[0]
    labels[:, :, : heights[0]], labels[:, :, heights[-1] + 1 :] = UNKNOWN, UNKNOWN
    if plane == "axial":
        for k in range(heights[0], heights[-1] + 1):
            yield k, volume.image[::-1, ::-1, k].T.copy(), labels[::-1, ::-1, k].T.copy()
        return
    sides = np.nonzero(volume.cord.any(axis=(1, 2)))[0]
    beside = round(_BESIDE_MM / volume.spacing_mm[0])
    for i in range(max(0, sides[0] - beside), min(len(labels), sides[-1] + beside + 1)):
        yield i, volume.image[i, ::-1, ::-1].T.copy(), labels[i, ::-1, ::-1].T.copy()


def in_plane_spacing(volume: CordVolume, plane: str) -> tuple[float, float]:
    """Return (row, column) spacing of a plane's slices, mm."""
    i, j, k = volume.spacing_mm
    return (j, i) if plane == "axial" else (k, j)


def pad_field(image: NDArray[T], spacing_mm: tuple[float, float], value: float) -> NDArray[T]:
    """Return a slice (H, W) set into the middle of a field whose long side has at least ``LEAST_FIELD_MM``."""
    height, width = (side * step for side, step in zip(image.shape, spacing_mm, strict=True))
    factor = max(1.0, LEAST_FIELD_MM / max(height, width))
    more = [round(side * (factor - 1.0)) for side in image.shape]
    return np.pad(image, [(count // 2, count - count // 2) for count in more], constant_values=value)


def _read(file: Path, patient: int) -> CordVolume:
    """Read a volume and the mask beside it, turned to right, front, head."""
    stem = file.name.removesuffix(".nii.gz")
    mask_file = file.with_name(f"{stem}_seg-manual.nii.gz")
    for needed in (file, mask_file):
        if not needed.is_file():
            raise StudyError(f"{needed.name}: expected in {file.parent.name}, found nothing")
    image, mask = (nib.as_closest_canonical(nib.load(path)) for path in (file, mask_file))  # type: ignore[no-untyped-call]
    if image.shape != mask.shape:
        raise StudyError(f"{mask_file.name}: expected the size of its image {image.shape}, got {mask.shape}")
    i, j, k = (float(value) for value in image.header.get_zooms()[:3])
    pixels = np.asarray(image.dataobj, dtype=np.float32)
    return CordVolume(stem, patient, pixels, np.asarray(mask.dataobj) > 0.5, (i, j, k))
