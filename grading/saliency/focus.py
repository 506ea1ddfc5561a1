"""Focused Grad-CAM: heat inside the outlined structures that a condition is about (``focus.yaml``). No torch.

Only the primary sagittal series is outlined. On another one the region is carried over by the levels: a crop's
frame is laid by the same anatomical points on every series, so what lies at a place of one series' crop lies at
that place of the other's, as far as both show the middle of the spine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from anatomy import STRUCTURES, Condition, Structure, disc_label, vertebra_label
from grading.config import CropGeometry
from grading.crops import CropFrame, crop_frames, crop_pixels, cut_crop
from grading.saliency.place import Mask, WindowPlace, onto_slice
from imaging.types import Series, Study
from runtime.errors import ConfigError
from runtime.records import as_record
from segmentation.types import SegmentedStudy

NO_STRUCTURE = "no outlined structure belongs to this condition"
_NAMES = ("disc", "vertebra_above", "vertebra_below", "spinal_canal", "spinal_cord")
_SACRUM = STRUCTURES[Structure.SACRUM].label


@dataclass(frozen=True)
class Focus:
    """One row of the table; lengths in level pitches."""

    structures: tuple[str, ...]
    """Names, as the head of ``focus.yaml`` lists them."""
    margin: float = 0.0
    """Reach beyond their outlines."""
    near_disc: float | None = None
    """Largest distance from the level's disc; None keeps all of them."""

    def __post_init__(self) -> None:
        if odd := [name for name in self.structures if name not in _NAMES]:
            raise ConfigError(f"focus.yaml: structures: expected names among {', '.join(_NAMES)}, got {odd!r}")


@dataclass(frozen=True, eq=False)
class Region:
    """The region of a condition on one slice.

    Attributes:
        mask: (rows, columns) of the original slice.
        series_id: Series whose outlines made it.
    """

    mask: Mask
    series_id: str


@cache
def load_focus() -> dict[Condition, Focus]:
    """Read the table.

    Raises:
        ConfigError: If a condition, key or structure is unknown.
    """
    table = yaml.safe_load((Path(__file__).parent / "focus.yaml").read_text(encoding="utf-8"))
    return {Condition(name): as_record(Focus, row, f"focus.yaml: {name}") for name, row in table.items()}


def structure_label(name: str, level: str) -> int | None:
    """Return the label number of a structure of ``focus.yaml`` at a disc level; None where it has none."""
    above, _, below = level.partition("-")
    if name == "disc":
        return disc_label(level)
    if name == "vertebra_above":
        return vertebra_label(above)
    if name == "vertebra_below":
        return _SACRUM if below == "S1" else vertebra_label(below)
    return STRUCTURES[Structure(name)].label


def series_frames(series: Series, segmented: SegmentedStudy) -> dict[str, CropFrame]:
    """Return the frame of each level of a series, as its crops are cut; none with fewer than two levels."""
    levels = segmented.series_levels.get(series.id, ())
    if len(levels) < 2:
        return {}
    spacing = series.volume.spacing
    aspect = 1.0 if spacing is None else spacing.row_mm / spacing.col_mm
    frames = crop_frames({level.name: level.posterior_px for level in levels}, aspect=aspect)
    return {frame.level: frame for frame in frames}


def find_region(
    condition: Condition,
    level: str,
    series: Series,
    study: Study,
    segmented: SegmentedStudy,
    geometry: CropGeometry,
) -> Region | str:
    """Return a condition's region on the slice that its level was graded on, or why there is none."""
    focus = load_focus().get(condition)
    if focus is None:
        return NO_STRUCTURE
    by_id = {item.id: item for item in study.series}
    source = series if segmented.label_map(series.id) is not None else by_id[segmented.primary_series_id]
    frame = series_frames(source, segmented).get(level)
    labels = _labels(source, level, segmented)
    if frame is None or labels is None:
        return f"no outlines at {level}"
    mask = region_mask(labels, frame, focus)
    if not mask.any():
        return f"{' and '.join(focus.structures)} not outlined at {level}".replace("_", " ")
    if source.id == series.id:
        return Region(mask, source.id)
    columns, rows, _ = series.volume.shape
    crop = cut_crop(mask.astype(np.float32), frame, geometry).image
    own = crop_pixels(series_frames(series, segmented)[level], geometry)
    carried = onto_slice(crop, WindowPlace.of_pixels(own, (rows, columns))) >= 0.5
    return Region(carried, source.id) if carried.any() else f"the outlines of {source.id} do not reach {level}"


def view_reason(condition: Condition, series_id: str) -> str:
    """Return why a window beside or across the midline has no region."""
    if condition not in load_focus():
        return NO_STRUCTURE
    return f"outlines are laid on crops of the midline only, not on this window of {series_id}"


def region_mask(labels: NDArray[np.uint8], frame: CropFrame, focus: Focus) -> Mask:
    """Return the region on the outlined slice.

    Args:
        labels: (rows, columns) of the slice.
        frame: Of the level; gives level, pitch and the shape of the pixels.
        focus: What belongs to it.

    Returns:
        (rows, columns); empty where a structure that must be near the disc has no disc to be near to.
    """
    numbers = [structure_label(name, frame.level) for name in focus.structures]
    mask = np.isin(labels, [number for number in numbers if number is not None])
    mask = _within(mask, focus.margin, frame)
    if focus.near_disc is not None:
        mask &= _within(labels == disc_label(frame.level), focus.near_disc, frame)
    return mask


def energy_share(heat: NDArray[np.float32], region: Mask, window: Mask) -> float | None:
    """Return the share of the heat in a window that lies in a region, 0 to 1; None without any heat."""
    whole = float(heat[window].sum(dtype=np.float64))
    return float(heat[window & region].sum(dtype=np.float64)) / whole if whole > 0 else None


def area_share(region: Mask, window: Mask) -> float:
    """Return the share of a window's pixels that lie in a region, 0 to 1."""
    return float((window & region).sum() / max(int(window.sum()), 1))


def _labels(series: Series, level: str, segmented: SegmentedStudy) -> NDArray[np.uint8] | None:
    """Return the labels (rows, columns) of the slice that a level lies on; None where there are none."""
    label_map = segmented.label_map(series.id)
    slices: Mapping[str, int] = {
        item.name: item.slice_index for item in segmented.series_levels.get(series.id, ())
    }
    if label_map is None or level not in slices:
        return None
    return label_map.array[:, :, slices[level]].T


def _within(mask: Mask, pitches: float, frame: CropFrame) -> Mask:
    """Return what lies within a distance of a mask; nothing for an empty one."""
    if not mask.any() or pitches <= 0:
        return mask
    distance = distance_transform_edt(~mask, sampling=(frame.aspect, 1.0))
    return np.asarray(distance <= pitches * frame.pitch, dtype=bool)
