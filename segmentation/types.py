"""Records of the segmentation room: label maps, named levels, regions and measurements. No torch here."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anatomy import Side
from imaging.types import GateFinding, OutOfDistribution

LabelArray = NDArray[np.uint8]
"""Label numbers of ``anatomy/codes.csv``, shape (I, J, K) = (columns, rows, slices)."""


@dataclass(frozen=True)
class LabelMap:
    """Labels on the grid of one series.

    Attributes:
        series_id: The series it lies on.
        array: (I, J, K) uint8; 0 background, else numbers of ``anatomy/codes.csv`` (instances named by level).
    """

    series_id: str
    array: LabelArray


@dataclass(frozen=True)
class SliceMaps:
    """What the network says of N slices of one series, on the pixel grid of the original slices.

    Attributes:
        structures: Names of the C structure prompts (``anatomy.Structure`` values).
        probabilities: (N, C, H, W) float32, H rows, W columns of the original slice.
        level_names: Names of the L level prompts, such as ``L5-S1``.
        level_maps: (N, L, h, w) float32 in 0 to 1; peaks at the posterior disc margin of each level.
        level_stride: (row, column) original pixels per map pixel: x = column * stride + (stride - 1) / 2.
        prompt_names: Names of the P prompts of ``prompt_tokens``.
        prompt_tokens: (N, P, D) float32, each prompt's embedding after attending to all patch tokens.
    """

    structures: tuple[str, ...]
    probabilities: NDArray[np.float32]
    level_names: tuple[str, ...]
    level_maps: NDArray[np.float32]
    level_stride: tuple[float, float]
    prompt_names: tuple[str, ...]
    prompt_tokens: NDArray[np.float32]


@dataclass(frozen=True)
class Level:
    """A named disc level on one series; or both sacroiliac joints, as ``SIJ``.

    For ``SIJ`` both points are the middle between the two joints, the length is their distance and the confidence
    the mean probability of what was outlined as joint space.

    Attributes:
        name: Such as ``L4-L5``.
        series_id: The series the points lie on.
        slice_index: Slice k of the points.
        centre_px: Disc centre (x, y) = (column, row) in pixels of the original slice, at pixel centres.
        posterior_px: Posterior disc margin at the canal, same frame.
        centre_ras_mm: Disc centre in RAS+ mm; None without geometry.
        angle_deg: Direction of the disc's long axis in the slice, front to back, degrees from the x axis
            (positive turns towards larger y).
        length_px: Length of the disc along that axis in pixels of the original slice.
        confidence: Probability that the name is right, 0 to 1.
        doubt: Why the name is doubtful; None when it is not.
    """

    name: str
    series_id: str
    slice_index: int
    centre_px: tuple[float, float]
    posterior_px: tuple[float, float]
    centre_ras_mm: tuple[float, float, float] | None
    angle_deg: float
    length_px: float
    confidence: float
    doubt: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return an item of ``levels`` of reading.json."""
        return {
            "name": self.name,
            "centre_px": list(self.centre_px),
            "posterior_px": list(self.posterior_px),
            "centre_mm": None if self.centre_ras_mm is None else list(self.centre_ras_mm),
            "series": self.series_id,
            "slice": self.slice_index,
            "confidence": self.confidence,
            "doubt": self.doubt,
        }


@dataclass(frozen=True)
class Measurement:
    """One measured quantity.

    Attributes:
        id: Unique in a reading, such as ``m3``.
        name: Such as ``disc_height``, ``disc_height_index``, ``canal_ap_diameter``, ``listhesis``.
        level: Disc level, or None.
        side: Patient's side, or None.
        value: In ``unit``; None when not assessable.
        unit: ``mm``, ``1`` (a ratio), ``deg`` ...
        method: How it was measured, one short phrase.
        reason: Why there is no value; None when there is one.
        series_id: Series it was measured on.
        slice_index: Slice k it was measured on.
        line_px: The two end points ((x, y), (x, y)) drawn on the overlay, or None.
        percentile: Place in a published norm, 0 to 100; None when no norm applies.
    """

    id: str
    name: str
    level: str | None
    side: Side | None
    value: float | None
    unit: str
    method: str
    reason: str | None
    series_id: str
    slice_index: int | None
    line_px: tuple[tuple[float, float], tuple[float, float]] | None = None
    percentile: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return an item of ``measurements`` of reading.json."""
        return {
            "id": self.id,
            "name": self.name,
            "level": self.level,
            "side": None if self.side is None else self.side.value,
            "value": self.value,
            "unit": self.unit,
            "method": self.method,
            "percentile": self.percentile,
            "status": "measured" if self.value is not None else "not_assessable",
            "reason": self.reason,
            "series": self.series_id,
            "slice": self.slice_index,
            "line_px": None if self.line_px is None else [list(point) for point in self.line_px],
        }


@dataclass(frozen=True)
class Region:
    """A level's region on one series: where later stages look.

    Attributes:
        level: Disc level, or ``SIJ``.
        series_id: Series.
        slice_index: Slice k.
        box_px: (x0, y0, x1, y1) in pixels of the original slice.
        embedding: Region embedding, (T, D) float32: the segmentation network's attended tokens on that slice of
            the level's own prompt (the disc's where the level has none), disc, vertebra and canal (T = 4); at a
            sacroiliac joint of joint space, sacrum and ilium (T = 3).
        side: Patient's side of a sacroiliac joint, else None.
        network: Checksum of the weights the embedding comes from: embeddings of other weights do not compare.
    """

    level: str
    series_id: str
    slice_index: int
    box_px: tuple[float, float, float, float]
    embedding: NDArray[np.float32]
    side: Side | None = None
    network: str = ""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where each prompt of the segmentation network looked on one slice.

    Attributes:
        series_id: Series.
        slice_index: Slice k.
        prompt_names: Names of the P prompts: structures, then levels.
        maps: (P, rows, columns) float32 on the original slice; each map's largest value is 1.
    """

    series_id: str
    slice_index: int
    prompt_names: tuple[str, ...]
    maps: NDArray[np.float32]

    def of(self, prompt: str) -> NDArray[np.float32]:
        """Return the map of one prompt, such as ``disc`` or ``L4-L5``, (rows, columns).

        Raises:
            KeyError: If the network has no such prompt.
        """
        if prompt not in self.prompt_names:
            raise KeyError(f"prompt: expected one of {', '.join(self.prompt_names)}, got {prompt!r}")
        return np.asarray(self.maps[self.prompt_names.index(prompt)], dtype=np.float32)


@dataclass(frozen=True)
class SegmentedStudy:
    """Everything the segmentation room knows about a study.

    Attributes:
        label_maps: One per outlined series, the primary's first.
        primary_series_id: The series that levels and measurements lie on.
        levels: Named levels on the primary series, cranial to caudal; ``SIJ`` for the sacroiliac joints.
        series_levels: Series id -> the same levels located on that series.
        measurements: All measurements.
        regions: Regions of every level on every series that shows it.
        notices: Doubts about numbering or coverage that concern the whole study.
        ood: How the slice that the levels were named on compares with real spines; None without a gate.
        refusals: What would have refused the study, had nobody overridden it.
    """

    label_maps: tuple[LabelMap, ...]
    primary_series_id: str
    levels: tuple[Level, ...]
    series_levels: dict[str, tuple[Level, ...]]
    measurements: tuple[Measurement, ...]
    regions: tuple[Region, ...] = ()
    notices: tuple[str, ...] = field(default=())
    ood: OutOfDistribution | None = None
    refusals: tuple[GateFinding, ...] = ()

    def label_map(self, series_id: str) -> LabelMap | None:
        """Return the label map of a series, or None."""
        return next((item for item in self.label_maps if item.series_id == series_id), None)

    def level(self, name: str) -> Level | None:
        """Return a level on the primary series by name, or None."""
        return next((item for item in self.levels if item.name == name), None)
