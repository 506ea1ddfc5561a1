"""A study goes in; named levels, numbered outlines, measurements and regions come out.

Which slices are read: all of the primary series (every second one and so on above ``scan.MAX_SLICES``); of every
other sagittal series the one slice the levels fall in, or without positions its three middle slices. Axial series
are not outlined.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from anatomy import Protocol
from imaging.types import GateFinding, OutOfDistribution, Plane, Series, Study
from runtime.errors import NotEligibleError
from segmentation.frame import SliceFrame
from segmentation.instances import planes_of
from segmentation.levels import Anchor
from segmentation.likeness import SpineLikeness, open_likeness, refuse_unlike
from segmentation.measurements import MeasuredSlice, measure
from segmentation.middle import MiddleSlice, read_middle, to_levels
from segmentation.notices import study_notices
from segmentation.regions import build_regions
from segmentation.scan import SeriesScan, SliceNetwork, all_slices, scan_series
from segmentation.spread import spread_labels
from segmentation.transfer import shared_slice, transfer_levels
from segmentation.types import LabelArray, LabelMap, Level, Measurement, Region, SegmentedStudy, SliceMaps

_log = logging.getLogger(__name__)

_TRIES = 3
"""Slices tried for the middle, best first, before a series is refused."""


@dataclass(frozen=True, eq=False)
class _ReadSeries:
    """A series whose middle slice is named, and what the gates said of that slice."""

    scan: SeriesScan
    middle: MiddleSlice
    ood: OutOfDistribution | None
    refusal: GateFinding | None = None


@dataclass(frozen=True, eq=False)
class _Located:
    """Levels of one sagittal series and what describes their slice."""

    levels: tuple[Level, ...]
    regions: tuple[Region, ...]


class Segmenter:
    """The segmentation room's loaded object.

    Args:
        network: What turns slices into maps.
        likeness: Refuses slices that are no sagittal spine before their discs are chained; None leaves that to the
            rules on the chain.

    Attributes:
        checksum: Of the network's weights, for provenance.
        gate_checksum: Of the weights of ``likeness``; None without it.
    """

    def __init__(self, network: SliceNetwork, *, likeness: SpineLikeness | None = None) -> None:
        self.network, self.likeness = network, likeness
        self.checksum = network.checksum
        self.gate_checksum = None if likeness is None else likeness.checksum

    @classmethod
    def load(
        cls, *, weights_root: Path | None = None, name: str = "segmentation", device: str = "auto"
    ) -> Segmenter:
        """Load a model folder.

        Args:
            weights_root: Folder of model folders; None takes ``Settings.weights_dir``.
            name: Model folder.
            device: ``auto``, ``cpu``, ``cuda`` ...

        Raises:
            WeightsError: If the folder or the gate beside it is damaged, or the folder is missing.
        """
        from segmentation.predict import SliceSegmenter

        network = SliceSegmenter.load(weights_root=weights_root, name=name, device=device)
        return cls(network, likeness=open_likeness(network.checksum, weights_root=weights_root))

    def segment_study(
        self, study: Study, protocol: Protocol, *, anchor: Anchor | None = None, is_forced: bool = False
    ) -> SegmentedStudy:
        """Segment, name and measure a study.

        Args:
            study: At least one sagittal series.
            protocol: Reading plan.
            anchor: One level that a person confirmed on the primary series: (name, (x, y) in pixels).
            is_forced: A person says that there is a spine: the primary series is read although the gates refuse
                it, and ``refusals`` keeps what they said. Fewer discs than can be named still refuse.

        Raises:
            NotEligibleError: With code ``no_sagittal_series`` or ``no_spine_found``.
            ConfigError: If the anchor does not fit the chain of discs.
        """
        sagittal = sagittal_series(study, protocol)
        primary = sagittal[0]
        read = self._read(primary, protocol, all_slices(primary), anchor, is_forced=is_forced)
        scan, middle = read.scan, read.middle
        levels = _reported(to_levels(middle.named.discs, primary, middle.slice_index, middle.frame), protocol)
        if len(levels) < protocol.min_levels:
            raise NotEligibleError(
                f"no spine was found: {len(levels)} of the discs could be named, at least "
                f"{protocol.min_levels} are needed",
                code="no_spine_found",
            )
        labels = spread_labels(
            scan, planes_of(middle.named.discs), middle.named.pitch, middle.frame, primary.volume.shape
        )
        located = {primary.id: _located(levels, primary, middle.named.pitch, scan.middle_maps)}
        for other in sagittal[1:]:
            located[other.id] = self._locate(other, primary, levels, protocol)
        return SegmentedStudy(
            label_maps=(LabelMap(primary.id, labels),),
            primary_series_id=primary.id,
            levels=levels,
            series_levels={series_id: item.levels for series_id, item in located.items()},
            measurements=_measured(levels, labels, middle, primary),
            regions=tuple(region for item in located.values() for region in item.regions),
            notices=study_notices(study, protocol, primary, scan, middle.named),
            ood=read.ood,
            refusals=() if read.refusal is None else (read.refusal,),
        )

    def _read(
        self,
        series: Series,
        protocol: Protocol,
        slices: tuple[int, ...],
        anchor: Anchor | None,
        *,
        is_forced: bool = False,
    ) -> _ReadSeries:
        """Read a series and name its middle slice; the next best slices are tried before it is refused.

        Forced, the tries are made again with the gates told to let a spine pass.
        """
        scan = scan_series(self.network, series, slices)
        refusal: NotEligibleError | None = None
        for lets_pass in (False, True) if is_forced else (False,):
            for k in scan.ranking[:_TRIES]:
                if k != scan.middle:
                    scan = scan.with_middle(k, self._one_slice(series, k))
                try:
                    read = self._read_slice(scan, k, series, protocol, anchor, is_forced=lets_pass)
                except NotEligibleError as error:
                    _log.info("series %s, slice %d: %s", series.id, k, error)
                    refusal = refusal or error
                else:
                    said = None if refusal is None or not lets_pass else refusal
                    found = None if said is None else GateFinding(said.code, str(said), series.id)
                    return replace(read, refusal=found)
        assert refusal is not None
        raise refusal

    def _read_slice(
        self,
        scan: SeriesScan,
        k: int,
        series: Series,
        protocol: Protocol,
        anchor: Anchor | None,
        *,
        is_forced: bool,
    ) -> _ReadSeries:
        ood = None if self.likeness is None else self.likeness.judge(scan.middle_maps)
        if ood is not None and not is_forced:
            refuse_unlike(ood)
        middle = read_middle(
            series.volume.slice_image(k),
            scan.middle_maps,
            k,
            protocol,
            SliceFrame.of(series.volume.spacing),
            anchor=anchor,
            is_forced=is_forced,
        )
        return _ReadSeries(scan, middle, ood)

    def _locate(self, other: Series, primary: Series, levels: tuple[Level, ...], protocol: Protocol) -> _Located:
        """Locate the primary series' levels on another sagittal series; none when no spine is seen there."""
        k = shared_slice(levels, primary, other)
        if k is not None:
            maps = self._one_slice(other, k)
            moved = transfer_levels(levels, primary, other, k, maps)
            return _located(moved, other, _pitch_of(moved, SliceFrame.of(other.volume.spacing)), maps)
        try:
            read = self._read(other, protocol, _middle_three(other), None)
        except NotEligibleError as error:
            _log.info("series %s: levels not located: %s", other.id, error)
            return _Located((), ())
        middle = read.middle
        found = _reported(to_levels(middle.named.discs, other, middle.slice_index, middle.frame), protocol)
        return _located(found, other, middle.named.pitch, read.scan.middle_maps)

    def _one_slice(self, series: Series, k: int) -> SliceMaps:
        return self.network.segment_slices(series.volume.slice_image(k)[None], series.volume.spacing)


def sagittal_series(study: Study, protocol: Protocol) -> tuple[Series, ...]:
    """Return the sagittal series, primary first: by the protocol's order of roles, then as they came.

    Raises:
        NotEligibleError: With code ``no_sagittal_series``.
    """
    order = {role.name: rank for rank, role in enumerate(protocol.roles)}
    found = [series for series in study.series if series.plane is Plane.SAGITTAL]
    if not found:
        raise NotEligibleError(
            "no sagittal series was found: levels are named on sagittal slices", code="no_sagittal_series"
        )
    return tuple(sorted(found, key=lambda series: order.get(series.role or "", len(order))))


def _measured(
    levels: tuple[Level, ...], labels: LabelArray, middle: MiddleSlice, series: Series
) -> tuple[Measurement, ...]:
    return measure(
        levels,
        MeasuredSlice(
            labels=np.ascontiguousarray(labels[:, :, middle.slice_index].T),
            canal=middle.classes.canal_probability,
            frame=middle.frame,
            pitch=middle.named.pitch,
            series_id=series.id,
            slice_index=middle.slice_index,
        ),
    )


def _located(levels: tuple[Level, ...], series: Series, pitch: float, maps: SliceMaps) -> _Located:
    columns, rows, _ = series.volume.shape
    regions = build_regions(
        levels,
        maps.prompt_names,
        maps.prompt_tokens[0],
        pitch,
        SliceFrame.of(series.volume.spacing),
        (rows, columns),
    )
    return _Located(levels, regions)


def _reported(levels: tuple[Level, ...], protocol: Protocol) -> tuple[Level, ...]:
    """Return the levels the protocol reports on; others stay numbered in the label map only."""
    return tuple(level for level in levels if level.name in protocol.levels)


def _pitch_of(levels: tuple[Level, ...], frame: SliceFrame) -> float:
    """Return the median distance of neighbouring levels, plane units; a disc's length for a single level."""
    centres = frame.to_plane([level.centre_px for level in levels])
    if len(centres) < 2:
        return float(levels[0].length_px * frame.col) if levels else 0.0
    return float(np.median(np.linalg.norm(np.diff(centres, axis=0), axis=1)))


def _middle_three(series: Series) -> tuple[int, ...]:
    count = series.volume.shape[2]
    return tuple(range(max(0, (count - 1) // 2 - 1), min(count, (count - 1) // 2 + 2)))
