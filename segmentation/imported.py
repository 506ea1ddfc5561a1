"""A study read with another tool's labels in place of our network's: its outlines, or its names alone.

Labels that outline discs take the place of ours: levels lie on their discs, everything is measured on them; the
network still looks at one slice of each sagittal series, for the region embeddings and to place levels on other
series, and outlines axial series, whose discs are named through the imported ones.
Labels that only name levels (marks at discs, vertebrae without discs) confirm one level of ours, as a person
would; the others are compared with ours, and a level named otherwise is doubted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anatomy import DISC_LEVELS, VERTEBRAE, Protocol, disc_label, vertebra_label
from imaging.label_grid import PlacedLabels, place_labels
from imaging.label_import import ImportedLabels
from imaging.label_order import level_doubts
from imaging.types import Plane, Series, Study
from runtime.errors import ConfigError, NotEligibleError, StudyError
from segmentation.choose import primary_first, reads_joints, series_of_plane
from segmentation.frame import SliceFrame
from segmentation.imported_names import COUNTED, DOUBTED, middle_slice, pitch_of, segment_named
from segmentation.levels import NamedDisc
from segmentation.measure import measure_study
from segmentation.measure.discs import disc_shape
from segmentation.measure.labels import CANAL
from segmentation.middle import to_levels
from segmentation.notices import axial_notices
from segmentation.sagittal import Located, SagittalReader
from segmentation.scan import segment_some
from segmentation.types import LabelArray, LabelMap, Level, SegmentedStudy

if TYPE_CHECKING:
    from segmentation.study import Segmenter


@dataclass(frozen=True, eq=False)
class LabelHome:
    """The sagittal series that imported labels lie on, and the labels there (none, for marks)."""

    series: Series
    placed: PlacedLabels


def segment_imported(
    segmenter: Segmenter, study: Study, protocol: Protocol, imported: ImportedLabels, *, is_forced: bool = False
) -> SegmentedStudy:
    """Read a study with imported labels.

    Args:
        segmenter: Ours; its network describes regions, and reads all where the labels only name levels.
        study: At least one sagittal series with a place in the world.
        protocol: Reading plan of a chain of discs.
        imported: Labels in our numbers.
        is_forced: As for ``Segmenter.segment_study``, where our network reads.

    Returns:
        As ``Segmenter.segment_study``; every name has confidence 1, or ``DOUBTED`` and why.

    Raises:
        ConfigError: If the protocol reads sacroiliac joints, which no convention outlines.
        StudyError: If the labels do not lie on the study, or neither outline nor name a disc level.
        NotEligibleError: With code ``no_sagittal_series`` or ``no_spine_found``.
    """
    if reads_joints(protocol):
        raise ConfigError(
            "labels: expected a study of the spine; no label convention outlines the sacroiliac joints"
        )
    home = _home(study, protocol, imported)
    if imported.points_ras or not _levels_in(home.placed.array):
        return segment_named(segmenter, study, protocol, imported, home.series, home.placed, is_forced=is_forced)
    return _outlined_by(segmenter, study, protocol, imported, home)


def _home(study: Study, protocol: Protocol, imported: ImportedLabels) -> LabelHome:
    """Return the first sagittal series whose grid the labels have, else the first that they lie on."""
    sagittal = primary_first(study, protocol, Plane.SAGITTAL)
    if not imported.array.any():  # marks alone have a place, no outline
        first = sagittal[0]
        return LabelHome(first, PlacedLabels(np.zeros(first.volume.shape, dtype=np.uint8), False, 1.0, ()))
    found: list[LabelHome] = []
    refusal: StudyError | None = None
    for series in sagittal:
        try:
            placed = place_labels(imported.array, imported.affine, series)
        except StudyError as error:
            refusal = refusal or error
            continue
        if placed.is_same_grid:
            return LabelHome(series, placed)
        found.append(LabelHome(series, placed))
    if not found:
        assert refusal is not None
        raise refusal
    return found[0]


def _outlined_by(
    segmenter: Segmenter, study: Study, protocol: Protocol, imported: ImportedLabels, home: LabelHome
) -> SegmentedStudy:
    series, labels = home.series, home.placed.array
    levels = _levels(labels, series, protocol, _doubts(labels, series, imported))
    if len(levels) < protocol.min_levels:
        raise NotEligibleError(
            f"no spine was found: the imported labels outline {len(levels)} of the discs of the {protocol.name} "
            f"protocol, at least {protocol.min_levels} are needed",
            code="no_spine_found",
        )
    reader = SagittalReader(segmenter.network, protocol, None)
    located = {series.id: _described(reader, segmenter, levels, series)}
    for other in primary_first(study, protocol, Plane.SAGITTAL):
        if other.id != series.id:
            located[other.id] = reader.locate(other, series, levels)
    pitch = pitch_of(levels, SliceFrame.of(series.volume.spacing))
    axial = series_of_plane(study, protocol, Plane.AXIAL)
    outlined = segmenter.outline_axial(axial, series, levels, labels, pitch, protocol, located)
    maps = (LabelMap(series.id, labels), *outlined)
    return SegmentedStudy(
        label_maps=maps,
        primary_series_id=series.id,
        levels=levels,
        series_levels={key: item.levels for key, item in located.items()},
        measurements=measure_study(study, maps, levels, protocol),
        regions=tuple(region for item in located.values() for region in item.regions),
        notices=(
            *imported.notices(),
            *home.placed.notices,
            *_own_notices(labels, imported),
            *axial_notices(axial, series, located, has_weights=segmenter.axial is not None),
        ),
    )


def _described(reader: SagittalReader, segmenter: Segmenter, levels: tuple[Level, ...], series: Series) -> Located:
    """Return levels with their regions, slice by slice: the middle one, and those of discs it does not show."""
    pitch = pitch_of(levels, SliceFrame.of(series.volume.spacing))
    parts = []
    for k in dict.fromkeys(level.slice_index for level in levels):
        here = tuple(level for level in levels if level.slice_index == k)
        parts.append(reader.describe(here, series, pitch, segment_some(segmenter.network, series, (k,))))
    return Located(levels, tuple(region for part in parts for region in part.regions))


def _levels(labels: LabelArray, series: Series, protocol: Protocol, doubts: dict[str, str]) -> tuple[Level, ...]:
    """Return the outlined levels of a protocol, each on the middle slice or the nearest with its disc."""
    middle, frame = middle_slice(labels), SliceFrame.of(series.volume.spacing)
    found: list[Level] = []
    for name in protocol.levels:
        for k in sorted(_slices_with(labels, disc_label(name)), key=lambda k: (abs(k - middle), k)):
            disc = _disc(np.ascontiguousarray(labels[:, :, k].T), name, frame, doubts.get(name))
            if disc is not None:
                found.extend(to_levels((disc,), series, k, frame))
                break
    return tuple(found)


def _disc(labels: NDArray[np.uint8], name: str, frame: SliceFrame, doubt: str | None) -> NamedDisc | None:
    shape = disc_shape(labels, disc_label(name), frame)
    if shape is None:
        return None
    return NamedDisc(
        name=name,
        shape=shape,
        centre=shape.centre,
        posterior=shape.posterior,
        axis=shape.axis,
        length=shape.length,
        confidence=1.0 if doubt is None else DOUBTED,
        doubt=doubt,
    )


def _doubts(labels: LabelArray, series: Series, imported: ImportedLabels) -> dict[str, str]:
    affine = series.volume.affine
    assert affine is not None  # ``place_labels`` asked for it
    found = level_doubts(labels, affine)
    return {**dict.fromkeys(DISC_LEVELS, COUNTED), **found} if imported.is_doubtful else found


def _own_notices(labels: LabelArray, imported: ImportedLabels) -> Iterable[str]:
    names = {vertebra_label(name): name for name in VERTEBRAE}
    cut = [names[label] for label in sorted(imported.partial) if label in names]
    if cut:
        yield f"Imported labels mark as cut off by the image border: {', '.join(cut)}."
    if not (labels == CANAL).any():
        yield "The imported labels outline no spinal canal: it was not measured."


def _levels_in(labels: LabelArray) -> list[str]:
    present = set(np.unique(labels).tolist())
    return [name for name in DISC_LEVELS if disc_label(name) in present]


def _slices_with(labels: LabelArray, label: int) -> list[int]:
    return np.flatnonzero((labels == label).any(axis=(0, 1))).tolist()
