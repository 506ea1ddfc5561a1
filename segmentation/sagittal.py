"""Sagittal series: the middle slice named, its names spread through the series, the levels found on other series.

Which slices are read: all of the primary series (every second one and so on above ``scan.MAX_SLICES``); of every
other sagittal series the one slice the levels fall in, or without positions its three middle slices.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from anatomy import Protocol, Structure
from imaging.types import GateFinding, OutOfDistribution, Series
from runtime.errors import NotEligibleError
from segmentation.classes import kinds_of
from segmentation.first_vertebra import number_atlas
from segmentation.frame import SliceFrame
from segmentation.instances import planes_of
from segmentation.levels import Anchor
from segmentation.likeness import SpineLikeness, refuse_unlike
from segmentation.middle import MiddleSlice, read_middle, to_levels
from segmentation.naming import LevelNaming
from segmentation.regions import build_regions
from segmentation.scan import SeriesScan, SliceNetwork, all_slices, scan_series, segment_some
from segmentation.spread import spread_labels
from segmentation.transfer import shared_slice, transfer_levels
from segmentation.types import LabelArray, Level, Region, SliceMaps

_log = logging.getLogger(__name__)

_TRIES = 3
"""Slices tried for the middle, best first, before a series is refused."""


@dataclass(frozen=True, eq=False)
class ReadSeries:
    """A series whose middle slice is named, and what the gates said of that slice."""

    scan: SeriesScan
    middle: MiddleSlice
    ood: OutOfDistribution | None
    refusal: GateFinding | None = None


@dataclass(frozen=True, eq=False)
class Located:
    """Levels of one series and what describes them."""

    levels: tuple[Level, ...]
    regions: tuple[Region, ...]


class SagittalReader:
    """Reads sagittal series of one protocol.

    Args:
        network: What turns slices into maps.
        protocol: Reading plan.
        likeness: Refuses slices that are no sagittal spine; None leaves that to the rules on the chain.
        naming: What levels are named by; None takes the shipped tables alone.
    """

    def __init__(
        self,
        network: SliceNetwork,
        protocol: Protocol,
        likeness: SpineLikeness | None,
        naming: LevelNaming | None = None,
    ) -> None:
        self._network, self._protocol, self._likeness = network, protocol, likeness
        self._naming = naming
        self._kinds: Iterable[Structure] = kinds_of(protocol)

    def read(self, primary: Series, *, anchor: Anchor | None = None, is_forced: bool = False) -> ReadSeries:
        """Read all slices of the primary series and name its middle one.

        Raises:
            NotEligibleError: With code ``no_spine_found``.
            ConfigError: If the anchor does not fit the chain of discs.
        """
        return self._read(primary, all_slices(primary), anchor, is_forced=is_forced)

    def labels_of(self, read: ReadSeries, series: Series) -> LabelArray:
        """Return the numbered instances of a whole series, (I, J, K)."""
        named = read.middle.named
        planes = planes_of(named.discs)
        labels = spread_labels(read.scan, planes, named.pitch, read.middle.frame, series.volume.shape)
        return number_atlas(labels, planes[0], named.pitch, read.middle.frame)

    def levels_of(self, read: ReadSeries, series: Series) -> tuple[Level, ...]:
        """Return the levels the protocol reports on; others stay numbered in the label map only."""
        found = to_levels(read.middle.named.discs, series, read.middle.slice_index, read.middle.frame)
        return tuple(level for level in found if level.name in self._protocol.levels)

    def describe(self, levels: tuple[Level, ...], series: Series, pitch: float, maps: SliceMaps) -> Located:
        """Return levels with the regions around them; ``maps`` are those of their slice (N = 1)."""
        columns, rows, _ = series.volume.shape
        frame = SliceFrame.of(series.volume.spacing)
        tokens = maps.prompt_tokens[0]
        return Located(
            levels,
            build_regions(
                levels, maps.prompt_names, tokens, pitch, frame, (rows, columns), self._network.checksum
            ),
        )

    def locate(self, other: Series, primary: Series, levels: tuple[Level, ...]) -> Located:
        """Locate the primary series' levels on another sagittal series; none when no spine is seen there."""
        k = shared_slice(levels, primary, other)
        if k is not None:
            maps = segment_some(self._network, other, (k,))
            moved = transfer_levels(levels, primary, other, k, maps)
            return self.describe(moved, other, _pitch_of(moved, SliceFrame.of(other.volume.spacing)), maps)
        try:
            read = self._read(other, _middle_three(other), None)
        except NotEligibleError as error:
            _log.info("series %s: levels not located: %s", other.id, error)
            return Located((), ())
        return self.describe(self.levels_of(read, other), other, read.middle.named.pitch, read.scan.middle_maps)

    def _read(
        self, series: Series, slices: tuple[int, ...], anchor: Anchor | None, *, is_forced: bool = False
    ) -> ReadSeries:
        """Read a series and name its middle slice; the next best slices are tried before it is refused.

        Forced, the tries are made again with the gates told to let a spine pass.
        """
        scan = scan_series(self._network, series, slices, self._kinds)
        refusal: NotEligibleError | None = None
        for lets_pass in (False, True) if is_forced else (False,):
            for k in scan.ranking[:_TRIES]:
                if k != scan.middle:
                    scan = scan.with_middle(k, segment_some(self._network, series, (k,)))
                try:
                    read = self._read_slice(scan, k, series, anchor, is_forced=lets_pass)
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
        self, scan: SeriesScan, k: int, series: Series, anchor: Anchor | None, *, is_forced: bool
    ) -> ReadSeries:
        ood = None if self._likeness is None else self._likeness.judge(scan.middle_maps)
        if ood is not None and not is_forced:
            refuse_unlike(ood)
        middle = read_middle(
            series.volume.slice_image(k),
            scan.middle_maps,
            k,
            self._protocol,
            SliceFrame.of(series.volume.spacing),
            anchor=anchor,
            is_forced=is_forced,
            naming=self._naming,
            sequence=series.sequence,
        )
        return ReadSeries(scan, middle, ood)


def _pitch_of(levels: tuple[Level, ...], frame: SliceFrame) -> float:
    """Return the median distance of neighbouring levels, plane units; a disc's length for a single level."""
    centres = frame.to_plane([level.centre_px for level in levels])
    if len(centres) < 2:
        return float(levels[0].length_px * frame.col) if levels else 0.0
    return float(np.median(np.linalg.norm(np.diff(centres, axis=0), axis=1)))


def _middle_three(series: Series) -> tuple[int, ...]:
    count = series.volume.shape[2]
    return tuple(range(max(0, (count - 1) // 2 - 1), min(count, (count - 1) // 2 + 2)))
