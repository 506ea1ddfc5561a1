"""One entry point: label maps, levels and images of a study go in, all measurements come out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from anatomy import SIJ, Protocol, Side
from imaging.types import Plane, Study
from imaging.types import Sequence as Weighting
from segmentation.measure.axial import level_plane, measure_area
from segmentation.measure.foramen import measure_foramina
from segmentation.measure.found import Found
from segmentation.measure.labels import CANAL
from segmentation.measure.neck import measure_cord
from segmentation.measure.norms import percentile
from segmentation.measure.posture import measure_posture, measure_vertebra
from segmentation.measure.quantities import load_quantities
from segmentation.measure.sacroiliac import measure_joints
from segmentation.measure.sagittal import measure_level
from segmentation.measure.spine import SagittalSpine
from segmentation.measure.stack import Stack
from segmentation.types import LabelMap, Level, Measurement

NO_SPACING = "pixel spacing unknown"


def measure_study(
    study: Study,
    label_maps: Sequence[LabelMap],
    levels: Sequence[Level],
    protocol: Protocol,
) -> tuple[Measurement, ...]:
    """Measure everything that the label maps of a study show.

    Args:
        study: Its series; intensities are looked at for the CSF's signal only.
        label_maps: One per outlined series, on the grid of that series.
        levels: Named levels on one sagittal series that has a label map, cranial to caudal; none for a study
            without discs.
        protocol: Decides which quantities are looked for.

    Returns:
        Measurements with ids m1, m2, ...: level by level, then vertebra by vertebra, then the whole spine and the
        sacroiliac joints. What cannot be assessed is there with its reason.

    Raises:
        ValueError: If a label map is of no series of the study, or not on its grid.
    """
    stacks = _stacks(study, label_maps)
    found: list[Measurement] = []
    if levels:
        found += _spine(stacks, tuple(levels), protocol)
    joints = next((stack for stack in stacks if stack.plane is Plane.CORONAL), None)
    if SIJ in protocol.levels and joints is not None:
        found += [_build(name, SIJ, side, item, joints, None) for name, side, item in measure_joints(joints)]
    return tuple(replace(item, id=f"m{number}") for number, item in enumerate(found, start=1))


def _stacks(study: Study, label_maps: Sequence[LabelMap]) -> list[Stack]:
    series = {item.id: item for item in study.series}
    unknown = [item.series_id for item in label_maps if item.series_id not in series]
    if unknown:
        raise ValueError(f"label maps: expected series among {sorted(series)}, got {unknown}")
    return [Stack.of(series[item.series_id], item.array) for item in label_maps]


def _spine(stacks: list[Stack], levels: tuple[Level, ...], protocol: Protocol) -> Iterator[Measurement]:
    home = next((stack for stack in stacks if stack.series_id == levels[0].series_id), None)
    if home is None:
        raise ValueError(f"levels: expected a label map of their series {levels[0].series_id!r}, got none")
    spine = SagittalSpine(home, levels)
    axial = _axial(stacks)
    for level in spine.names:
        yield from _level(spine, level, axial, protocol)
    for vertebra in spine.bodies_in_view:
        for name, item in measure_vertebra(spine, vertebra):
            yield _build(name, vertebra, None, item, home, spine)
    for name, item in measure_posture(spine, protocol.name):
        yield _build(name, None, None, item, home, spine)


def _level(spine: SagittalSpine, level: str, axial: Stack | None, protocol: Protocol) -> Iterator[Measurement]:
    home = spine.stack
    is_t2 = home.sequence is Weighting.T2
    for name, item in measure_level(spine, level, is_t2=is_t2):
        yield _build(name, level, None, item, home, spine)
    for name, side, item in measure_foramina(spine, level):
        yield _build(name, level, side, item, home, spine)
    plane = None if axial is None else level_plane(spine, level)
    is_neck = "spinal_cord" in protocol.structures
    area = measure_area(axial, plane, of_cord=False, in_disc_plane=not is_neck)
    yield _build("dural_sac_area", level, None, area, axial or home, None)
    if is_neck:
        area = measure_area(axial, plane, of_cord=True, in_disc_plane=False)
        yield _build("cord_area", level, None, area, axial or home, None)
        for name, item in measure_cord(spine, level):
            yield _build(name, level, None, item, home, spine)


def _axial(stacks: list[Stack]) -> Stack | None:
    """Return the axial series whose label map shows most of the canal; None when none does."""
    axial = [stack for stack in stacks if stack.plane is Plane.AXIAL and (stack.labels == CANAL).any()]
    return max(axial, key=lambda stack: int((stack.labels == CANAL).any(axis=(0, 1)).sum()), default=None)


def _build(
    name: str, place: str | None, side: Side | None, item: Found, stack: Stack, spine: SagittalSpine | None
) -> Measurement:
    """Make the record; what needs pixel spacing has no value without it."""
    quantity = load_quantities()[name]
    value, reason = item.value, item.reason
    if value is not None and quantity.needs_spacing and not stack.frame.is_mm:
        value, reason = None, NO_SPACING
    if value is not None and not np.isfinite(value):
        value, reason = None, "the measured value is not finite"
    k = item.slice_index
    if k is None and spine is not None and place in spine.names:
        k = spine.middle(place).nearest
    line = None if item.line_px is None or k is None else stack.source_line(item.line_px, k)
    return Measurement(
        id="",
        name=name,
        level=place,
        side=side,
        value=value,
        unit=quantity.unit,
        method=quantity.method if item.note is None else f"{quantity.method}: {item.note}",
        reason=None if value is not None else reason or "not measured",
        series_id=stack.series_id,
        slice_index=k,
        line_px=line,
        percentile=None if value is None else percentile(name, place or "", value, quantity.unit),
    )
