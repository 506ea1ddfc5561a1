"""A study goes in; named levels, numbered outlines, measurements and regions come out, as its protocol asks.

A chain of discs is named on the sagittal series and carried to the axial ones; sacroiliac joints are read on
coronal series; ``sagittal``, ``axial`` and ``joints`` say how.
"""

from __future__ import annotations

from pathlib import Path

from anatomy import Protocol
from imaging.label_import import ImportedLabels
from imaging.types import Plane, Series, Study
from runtime.errors import NotEligibleError
from runtime.settings import PRECISIONS
from segmentation.axial import SpineNames, read_axial
from segmentation.choose import primary_first, reads_joints, series_of_plane
from segmentation.classes import kinds_of
from segmentation.explain import explain_slice
from segmentation.joints import joint_level, joint_regions, midline_of, outline_pelvis
from segmentation.levels import Anchor
from segmentation.likeness import SpineLikeness, open_likeness
from segmentation.measure import measure_study
from segmentation.naming import LevelNaming, open_naming
from segmentation.notices import axial_notices, study_notices
from segmentation.sagittal import Located, SagittalReader
from segmentation.scan import SliceNetwork
from segmentation.types import (
    Explanation,
    LabelArray,
    LabelMap,
    Level,
    SegmentedStudy,
)


class Segmenter:
    """The segmentation room's loaded object.

    Args:
        network: What turns slices into maps.
        likeness: Refuses slices that are no sagittal spine before their discs are chained; None leaves that to the
            rules on the chain.
        axial: What turns axial slices into maps; None leaves axial series of the spine without outlines.
        naming: What levels are named by; None takes the shipped tables and looks at no junction.
        precision: What the networks compute in, for provenance.

    Attributes:
        checksum: Of the network's weights, for provenance.
        gate_checksum: Of the weights of ``likeness``; None without it.
        axial_checksum: Of the weights of ``axial``; None without it.
        naming_checksum: Of the weights of ``naming``; None without any.
    """

    def __init__(
        self,
        network: SliceNetwork,
        *,
        likeness: SpineLikeness | None = None,
        axial: SliceNetwork | None = None,
        naming: LevelNaming | None = None,
        precision: str = PRECISIONS[0],
    ) -> None:
        self.network, self.likeness, self.axial, self.naming = network, likeness, axial, naming
        self.naming_checksum = None if naming is None else naming.checksum
        self.checksum, self.precision = network.checksum, precision
        self.gate_checksum = None if likeness is None else likeness.checksum
        self.axial_checksum = None if axial is None else axial.checksum

    @classmethod
    def load(
        cls,
        *,
        weights_root: Path | None = None,
        name: str = "segmentation",
        axial_name: str | None = None,
        device: str = "auto",
    ) -> Segmenter:
        """Load a model folder.

        Args:
            weights_root: Folder of model folders; None takes ``Settings.weights_dir``.
            name: Model folder.
            axial_name: Model folder for axial slices, maybe the same; None reads none.
            device: ``auto``, ``cpu``, ``cuda`` ...

        Raises:
            WeightsError: If a folder or the gate beside it is damaged, or a folder is missing.
        """
        from segmentation.predict import SliceSegmenter

        network = SliceSegmenter.load(weights_root=weights_root, name=name, device=device)
        axial = network if axial_name == name else None
        if axial_name is not None and axial is None:
            axial = SliceSegmenter.load(weights_root=weights_root, name=axial_name, device=device)
        likeness = open_likeness(name, network.checksum, weights_root=weights_root)
        naming = open_naming(weights_root=weights_root)
        return cls(network, likeness=likeness, axial=axial, naming=naming, precision=network.precision)

    def segment_study(
        self, study: Study, protocol: Protocol, *, anchor: Anchor | None = None, is_forced: bool = False
    ) -> SegmentedStudy:
        """Segment, name and measure a study.

        Args:
            study: At least one series of the plane the protocol rests on.
            protocol: Reading plan.
            anchor: One level that a person confirmed on the primary series: (name, (x, y) in pixels).
            is_forced: A person says that there is a spine: the primary series is read although the gates refuse
                it, and ``refusals`` keeps what they said. Fewer discs than can be named still refuse.

        Raises:
            NotEligibleError: With code ``no_sagittal_series``, ``no_coronal_series``, ``no_spine_found``,
                ``no_sacroiliac_joints_found`` or ``no_position``.
            ConfigError: If the anchor does not fit the chain of discs, or there is none.
        """
        if reads_joints(protocol):
            return self._segment_joints(study, protocol)
        return self._segment_spine(study, protocol, anchor, is_forced=is_forced)

    def segment_imported(
        self, study: Study, protocol: Protocol, imported: ImportedLabels, *, is_forced: bool = False
    ) -> SegmentedStudy:
        """Name and measure a study on another tool's labels (``segmentation.imported``)."""
        from segmentation.imported import segment_imported

        return segment_imported(self, study, protocol, imported, is_forced=is_forced)

    def explain(self, study: Study, segmented: SegmentedStudy) -> Explanation:
        """Return where each prompt looked on the slice that most levels of the primary series lie on."""
        return explain_slice(self.network, study, segmented)

    def _segment_spine(
        self, study: Study, protocol: Protocol, anchor: Anchor | None, *, is_forced: bool
    ) -> SegmentedStudy:
        sagittal = primary_first(study, protocol, Plane.SAGITTAL)
        primary = sagittal[0]
        reader = SagittalReader(self.network, protocol, self.likeness, self.naming)
        read = reader.read(primary, anchor=anchor, is_forced=is_forced)
        levels = reader.levels_of(read, primary)
        _refuse_too_few(levels, protocol)
        labels = reader.labels_of(read, primary)
        pitch = read.middle.named.pitch
        located = {primary.id: reader.describe(levels, primary, pitch, read.scan.middle_maps)}
        for other in sagittal[1:]:
            located[other.id] = reader.locate(other, primary, levels)
        axial = series_of_plane(study, protocol, Plane.AXIAL)
        further = self.outline_axial(axial, primary, levels, labels, pitch, protocol, located)
        label_maps = (LabelMap(primary.id, labels), *further)
        notices = study_notices(protocol, primary, read.scan, read.middle.named)
        return SegmentedStudy(
            label_maps=label_maps,
            primary_series_id=primary.id,
            levels=levels,
            series_levels={series_id: item.levels for series_id, item in located.items()},
            measurements=measure_study(study, label_maps, levels, protocol),
            regions=tuple(region for item in located.values() for region in item.regions),
            notices=(*notices, *axial_notices(axial, primary, located, has_weights=self.axial is not None)),
            ood=read.ood,
            refusals=() if read.refusal is None else (read.refusal,),
        )

    def outline_axial(
        self,
        axial: tuple[Series, ...],
        primary: Series,
        levels: tuple[Level, ...],
        labels: LabelArray,
        pitch: float,
        protocol: Protocol,
        located: dict[str, Located],
    ) -> list[LabelMap]:
        """Outline the axial series that share positions with the primary one; adds them to ``located``."""
        affine = primary.volume.affine
        if self.axial is None or affine is None or not axial:
            return []
        names, maps = SpineNames(labels, affine, pitch), []
        for series in axial:
            if series.volume.affine is not None:
                found = read_axial(self.axial, series, primary, levels, names, kinds_of(protocol), pitch)
                located[series.id] = Located(found.levels, found.regions)
                maps.append(found.label_map)
        return maps

    def _segment_joints(self, study: Study, protocol: Protocol) -> SegmentedStudy:
        coronal = primary_first(study, protocol, Plane.CORONAL)
        kinds = kinds_of(protocol)
        first = outline_pelvis(self.network, coronal[0], kinds)
        pelves, notices = [first], []
        for series in (*coronal[1:], *series_of_plane(study, protocol, Plane.AXIAL)):
            try:
                pelves.append(outline_pelvis(self.network, series, kinds, midline_mm=midline_of(first)))
            except NotEligibleError as error:
                notices.append(f"Series {series.id} was not outlined: {error}.")
        levels: dict[str, tuple[Level, ...]] = {pelvis.series.id: (joint_level(pelvis),) for pelvis in pelves}
        label_maps = tuple(LabelMap(pelvis.series.id, pelvis.labels) for pelvis in pelves)
        return SegmentedStudy(
            label_maps=label_maps,
            primary_series_id=first.series.id,
            levels=levels[first.series.id],
            series_levels=levels,
            measurements=measure_study(study, label_maps, (), protocol),
            regions=tuple(region for pelvis in pelves for region in joint_regions(pelvis)),
            notices=tuple(notices),
        )


def sagittal_series(study: Study, protocol: Protocol) -> tuple[Series, ...]:
    """Return the sagittal series, primary first: by the protocol's order of roles, then as they came.

    Raises:
        NotEligibleError: With code ``no_sagittal_series``.
    """
    return primary_first(study, protocol, Plane.SAGITTAL)


def _refuse_too_few(levels: tuple[Level, ...], protocol: Protocol) -> None:
    if len(levels) < protocol.min_levels:
        raise NotEligibleError(
            f"no spine was found: {len(levels)} of the discs could be named, at least "
            f"{protocol.min_levels} are needed",
            code="no_spine_found",
        )
