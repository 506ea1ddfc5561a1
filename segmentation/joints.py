"""The sacroiliac joints: sacrum, ilia and joint spaces, told apart by the patient's side.

The network sees an ilium and a joint space, no sides: the side follows from millimetres. The midline is the median
RAS x of the sacrum; what lies at smaller x is the patient's left, whatever the picture shows on which edge. Joints
lie about 40 mm from it, so a tilted pelvis or a lopsided sacrum does not reach it.

The level ``SIJ`` stands for both joints. Where a joint space is not outlined (fused, or not seen), the ilium right
beside the sacrum takes its place, and a doubt says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anatomy import SIJ, Side, Structure
from imaging.types import AffineMatrix, Series
from runtime.errors import NotEligibleError
from segmentation.classes import ILIUM, JOINT_SPACE, SACRUM, class_map
from segmentation.instances import fixed_label
from segmentation.places import to_ras
from segmentation.regions import clip_box, pick_tokens
from segmentation.scan import SliceNetwork, all_slices, look_through
from segmentation.spread import fill_unread
from segmentation.types import LabelArray, Level, Region

MAX_SLICES = 64
"""Most slices of a series that are read (own choice: three times a usual stack)."""

LEAST_SACRUM_CM2, LEAST_ILIUM_CM2 = 10.0, 3.0
"""Least area on one slice, of each ilium likewise, to believe in a pelvis: about a sixth of what the drawn pelves
show (65 to 74 and 18 to 21 cm2 over six of them; own choice)."""

_SMALL = 0.1
"""Pieces of sacrum or ilium below this share of the largest are dropped (own choice)."""
_BESIDE_MM = 8.0
"""Without a joint space, ilium this near to the sacrum marks the joint (own choice)."""
_MARGIN_MM = 15.0
"""Room around a joint in its region: deep oedema starts 1 cm from the joint (Source: SPARCC), and some more."""

SIDES = (Side.LEFT, Side.RIGHT)
_ILIUM = {Side.LEFT: Structure.ILIUM_LEFT, Side.RIGHT: Structure.ILIUM_RIGHT}
_SPACE = {Side.LEFT: Structure.JOINT_SPACE_LEFT, Side.RIGHT: Structure.JOINT_SPACE_RIGHT}
_TOKENS = (Structure.JOINT_SPACE.value, Structure.SACRUM.value, Structure.ILIUM.value)


@dataclass(frozen=True, eq=False)
class Pelvis:
    """One series of a pelvis, outlined.

    Attributes:
        series: The series.
        labels: (I, J, K) label numbers.
        zones: Side -> (I, J, K) mask of the joint: its space, or what stands for it.
        fused: Sides whose joint space is not outlined.
        tokens: Read slice k -> (P, D) prompt tokens.
        prompt_names: Names of the P prompts.
        certainty: Read slice k -> mean probability of what was outlined as joint space; 0 without any.
        network: Checksum of the weights.
    """

    series: Series
    labels: LabelArray
    zones: dict[Side, NDArray[np.bool_]]
    fused: tuple[Side, ...]
    tokens: dict[int, NDArray[np.float32]]
    prompt_names: tuple[str, ...]
    certainty: dict[int, float]
    network: str


def outline_pelvis(
    network: SliceNetwork, series: Series, kinds: Iterable[Structure], *, midline_mm: float | None = None
) -> Pelvis:
    """Outline a series and tell the sides.

    Args:
        network: Knows sacrum, ilium and joint space.
        series: Coronal or axial.
        kinds: Structures that are wanted.
        midline_mm: RAS x of the patient's midline; None takes it from this series.

    Raises:
        NotEligibleError: With code ``no_position`` (the sides cannot be told) or ``no_sacroiliac_joints_found``.
    """
    affine = series.volume.affine
    if affine is None:
        raise NotEligibleError(
            f"series {series.id} tells no position, so it is not known which joint is the patient's left one; "
            "give the DICOM or NIfTI images",
            code="no_position",
        )
    wanted, slices = tuple(kinds), all_slices(series, MAX_SLICES)
    classes = np.zeros(series.volume.shape, dtype=np.uint8)
    tokens: dict[int, NDArray[np.float32]] = {}
    certainty: dict[int, float] = {}
    names: tuple[str, ...] = ()
    for k, maps in look_through(network, series, slices):
        found = class_map(maps.structures, maps.probabilities[0], wanted)
        classes[:, :, k] = found.T
        tokens[k], names = maps.prompt_tokens[0].copy(), maps.prompt_names
        certainty[k] = _certainty(found, maps.structures, maps.probabilities[0])
    fill_unread(classes, slices)
    classes = _without_crumbs(classes)
    refuse_no_pelvis(classes, series)
    labels, zones, fused = _tell_sides(classes, affine, midline_mm)
    if not any(zone.any() for zone in zones.values()):
        raise NotEligibleError(
            "no sacroiliac joints were found: no joint space is seen, and no ilium lies beside the sacrum",
            code="no_sacroiliac_joints_found",
        )
    return Pelvis(series, labels, zones, fused, tokens, names, certainty, network.checksum)


def midline_of(pelvis: Pelvis) -> float:
    """Return RAS x of the patient's midline, mm."""
    assert pelvis.series.volume.affine is not None
    return _midline(pelvis.labels == fixed_label(Structure.SACRUM), pelvis.series.volume.affine)


def joint_level(pelvis: Pelvis) -> Level:
    """Return the level ``SIJ`` on the slice that shows both joints best."""
    counts = np.array([pelvis.zones[side].sum(axis=(0, 1)) for side in SIDES])
    k = int(np.argmax(np.sqrt(counts.prod(axis=0)) + 1e-6 * counts.sum(axis=0)))
    ends = [
        np.argwhere(pelvis.zones[side][:, :, k]).mean(axis=0) for side in SIDES if counts[SIDES.index(side), k]
    ]
    x, y = np.mean(ends, axis=0)
    way = ends[-1] - ends[0]
    affine = pelvis.series.volume.affine
    assert affine is not None
    place = to_ras(affine, [[x, y, k]])[0]
    words = " and ".join(side.value for side in pelvis.fused)
    return Level(
        name=SIJ,
        series_id=pelvis.series.id,
        slice_index=k,
        centre_px=(float(x), float(y)),
        posterior_px=(float(x), float(y)),
        centre_ras_mm=(float(place[0]), float(place[1]), float(place[2])),
        angle_deg=float(np.degrees(np.arctan2(way[1], way[0]))),
        length_px=float(np.linalg.norm(way)),
        confidence=_confidence(pelvis, k),
        doubt=f"no joint space was outlined on the {words}: fused, or not seen" if words else None,
    )


def joint_regions(pelvis: Pelvis) -> Iterator[Region]:
    """Yield the region of each joint, on the slice that shows most of it."""
    spacing = pelvis.series.volume.spacing
    assert spacing is not None  # a series with an affine has one
    columns, rows, _ = pelvis.series.volume.shape
    margin = np.array([_MARGIN_MM / spacing.col_mm, _MARGIN_MM / spacing.row_mm])
    for side in SIDES:
        counts = pelvis.zones[side].sum(axis=(0, 1))
        if not counts.any():
            continue
        k = int(np.argmax(counts))
        pixels = np.argwhere(pelvis.zones[side][:, :, k])
        (x0, y0), (x1, y1) = pixels.min(axis=0) - margin, pixels.max(axis=0) + margin
        read = min(pelvis.tokens, key=lambda item: (abs(item - k), item))
        yield Region(
            level=SIJ,
            series_id=pelvis.series.id,
            slice_index=k,
            box_px=clip_box((float(x0), float(y0), float(x1), float(y1)), (rows, columns)),
            embedding=pick_tokens(_TOKENS, pelvis.prompt_names, pelvis.tokens[read]),
            side=side,
            network=pelvis.network,
        )


def refuse_no_pelvis(classes: NDArray[np.uint8], series: Series) -> None:
    """Raise unless a slice shows a sacrum and enough of two ilia.

    Raises:
        NotEligibleError: With code ``no_sacroiliac_joints_found`` and one sentence.
    """
    spacing = series.volume.spacing
    assert spacing is not None  # a series with an affine has one
    cm2 = spacing.row_mm * spacing.col_mm / 100.0
    sacrum = float((classes == SACRUM).sum(axis=(0, 1)).max() * cm2)
    ilium = float((classes == ILIUM).sum(axis=(0, 1)).max() * cm2)
    if sacrum < LEAST_SACRUM_CM2 or ilium < 2 * LEAST_ILIUM_CM2:
        raise NotEligibleError(
            f"no sacroiliac joints were found: the largest sacrum on one slice has {sacrum:.1f} cm2 and both ilia "
            f"{ilium:.1f} cm2, at least {LEAST_SACRUM_CM2:g} and {2 * LEAST_ILIUM_CM2:g} cm2 are needed",
            code="no_sacroiliac_joints_found",
        )


def _tell_sides(
    classes: NDArray[np.uint8], affine: AffineMatrix, midline_mm: float | None
) -> tuple[LabelArray, dict[Side, NDArray[np.bool_]], tuple[Side, ...]]:
    """Return label numbers, the zone of each joint and the sides without a joint space."""
    midline = _midline(classes == SACRUM, affine) if midline_mm is None else midline_mm
    i, j, k = np.ogrid[tuple(slice(0, size) for size in classes.shape)]
    is_left = affine[0, 0] * i + affine[0, 1] * j + affine[0, 2] * k + affine[0, 3] < midline
    labels = np.zeros(classes.shape, dtype=np.uint8)
    labels[classes == SACRUM] = fixed_label(Structure.SACRUM)
    beside: NDArray[np.bool_] | None = None
    zones, fused = {}, []
    for side in SIDES:
        on_side = is_left if side is Side.LEFT else ~is_left
        labels[(classes == ILIUM) & on_side] = fixed_label(_ILIUM[side])
        space = (classes == JOINT_SPACE) & on_side
        labels[space] = fixed_label(_SPACE[side])
        if not space.any():
            fused.append(side)
            beside = _beside_sacrum(classes, affine) if beside is None else beside
            space = beside & on_side
        zones[side] = space
    return labels, zones, tuple(fused)


def _beside_sacrum(classes: NDArray[np.uint8], affine: AffineMatrix) -> NDArray[np.bool_]:
    """Return the ilium within ``_BESIDE_MM`` of the sacrum, measured in each slice."""
    col_mm, row_mm = (float(np.linalg.norm(affine[:3, axis])) for axis in (0, 1))
    near = np.zeros(classes.shape, dtype=bool)
    for k in range(classes.shape[2]):
        sacrum = classes[:, :, k] == SACRUM
        if sacrum.any():
            away = ndimage.distance_transform_edt(~sacrum, sampling=(col_mm, row_mm))
            near[:, :, k] = (classes[:, :, k] == ILIUM) & (away <= _BESIDE_MM)
    return near


def _midline(sacrum: NDArray[np.bool_], affine: AffineMatrix) -> float:
    """Return the median RAS x of the sacrum, mm."""
    return float(np.median(to_ras(affine, np.argwhere(sacrum))[:, 0]))


def _without_crumbs(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the classes without small separate pieces of bone."""
    cleaned = classes.copy()
    for bone in (SACRUM, ILIUM):
        pieces, count = ndimage.label(classes == bone)
        if count > 1:
            sizes = np.bincount(pieces.ravel())
            sizes[0] = 0
            cleaned[np.isin(pieces, np.flatnonzero(sizes < _SMALL * sizes.max())) & (pieces > 0)] = 0
    return cleaned


def _certainty(
    classes: NDArray[np.uint8], structures: tuple[str, ...], probabilities: NDArray[np.float32]
) -> float:
    is_joint = classes == JOINT_SPACE
    if not is_joint.any():
        return 0.0
    return float(probabilities[structures.index(Structure.JOINT_SPACE.value)][is_joint].mean())


def _confidence(pelvis: Pelvis, k: int) -> float:
    read = min(pelvis.certainty, key=lambda item: (abs(item - k), item))
    return pelvis.certainty[read]
