"""Records of the imaging room: a study is a few series, a series is one volume with its role. No torch here.

Frames. Inside the project the world is RAS+ in millimetres (x grows to the patient
right, y to the front, z to the head). A voxel index (i, j, k) is (column, row, slice); a pixel
``[x, y]`` of slice k of the original image is (i, j). Sagittal volumes are stored so that rows grow from head to
foot and columns from front to back, as sagittal spine pictures are shown.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatVolume = NDArray[np.float32]
"""Intensities, shape (I, J, K) = (columns, rows, slices)."""

AffineMatrix = NDArray[np.float64]
"""Shape (4, 4): (i, j, k, 1) -> RAS+ millimetres."""


class Plane(StrEnum):
    """Orientation of the slices of a series."""

    SAGITTAL = "sagittal"
    AXIAL = "axial"
    CORONAL = "coronal"
    UNKNOWN = "unknown"


class Sequence(StrEnum):
    """MR weighting of a series."""

    T1 = "t1"
    T2 = "t2"
    STIR = "stir"
    UNKNOWN = "unknown"


class SourceKind(StrEnum):
    """What a study was read from."""

    PICTURE = "picture"
    NIFTI = "nifti"
    DICOM = "dicom"


@dataclass(frozen=True)
class Spacing:
    """Distance between neighbouring voxels in mm.

    Attributes:
        row_mm: Between rows (index j).
        col_mm: Between columns (index i).
        slice_mm: Between slices (index k); None for a single slice.
    """

    row_mm: float
    col_mm: float
    slice_mm: float | None = None


@dataclass(frozen=True)
class Volume:
    """An image with its geometry.

    Attributes:
        array: Intensities, (I, J, K) float32, finite, not rescaled beyond the file's own slope.
        spacing: None when unknown (a picture without ``--spacing``); then nothing is measured in mm.
        affine: (4, 4) voxel (i, j, k) -> RAS+ mm; None when the file tells no position.
        source_shape: Shape of the array as the file stores it, before ``source_axes``; equals array.shape when
            nothing was reordered.
        source_axes: For each axis of ``array``, the axis of the file and whether it was flipped; lets a label
            map be written back on the file's own grid.
    """

    array: FloatVolume
    spacing: Spacing | None
    affine: AffineMatrix | None
    source_shape: tuple[int, int, int]
    source_axes: tuple[tuple[int, bool], tuple[int, bool], tuple[int, bool]] = (
        (0, False),
        (1, False),
        (2, False),
    )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (columns, rows, slices)."""
        columns, rows, slices = self.array.shape
        return columns, rows, slices

    def slice_image(self, k: int) -> NDArray[np.float32]:
        """Return slice k as an image (rows, columns)."""
        return self.array[:, :, k].T


@dataclass(frozen=True)
class Series:
    """One series of a study.

    Attributes:
        id: Our own key inside the study, such as ``S1``.
        role: Role name of the protocol (``sagittal_t2``); None when it has none.
        plane: Orientation.
        sequence: Weighting.
        volume: The voxels.
        reasons: Why role, plane and sequence were decided so, one short sentence each.
        header: Non-identifying acquisition facts (``echo_time_ms``, ``repetition_time_ms``, ``field_strength_t``).
        series_instance_uid: For DICOM; references only, never shown. None otherwise.
        instance_uids: SOP instance UID of each slice k, for DICOM; empty otherwise.
        has_contrast: Whether it was taken after contrast medium; None when nothing tells (a picture, a bare
            NIfTI). A DICOM header that names no agent counts as no.
        frame_numbers: Frame number (from 1) of each slice k in its instance, for multi-frame DICOM; else empty.
    """

    id: str
    role: str | None
    plane: Plane
    sequence: Sequence
    volume: Volume
    reasons: tuple[str, ...] = ()
    header: dict[str, float | str] = field(default_factory=dict)
    series_instance_uid: str | None = None
    instance_uids: tuple[str, ...] = ()
    has_contrast: bool | None = None
    frame_numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Study:
    """What was read from one path; holds no patient identity.

    Attributes:
        key: Our own study key (a hash of the content), used in logs and reading.json.
        source: Kind of input.
        protocol: Protocol name that was chosen or asked for.
        series: All usable series.
        sex: ``F``, ``M`` or None when the header does not say; never guessed.
        age_years: None when the header does not say.
        notices: What the reader should know, such as series left out and why.
    """

    key: str
    source: SourceKind
    protocol: str
    series: tuple[Series, ...]
    sex: str | None = None
    age_years: float | None = None
    notices: tuple[str, ...] = ()

    def series_by_role(self, role: str) -> Series | None:
        """Return the first series with a role, or None."""
        return next((series for series in self.series if series.role == role), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the ``study`` block of reading.json: no identity, no pixels."""
        return {
            "key": self.key,
            "source": self.source.value,
            "protocol": self.protocol,
            "sex": self.sex,
            "age_years": self.age_years,
            "notices": list(self.notices),
            "series": [_series_dict(series) for series in self.series],
        }


def _series_dict(series: Series) -> dict[str, Any]:
    spacing = series.volume.spacing
    return {
        "id": series.id,
        "role": series.role,
        "plane": series.plane.value,
        "sequence": series.sequence.value,
        "shape": list(series.volume.shape),
        "spacing_mm": None if spacing is None else [spacing.col_mm, spacing.row_mm, spacing.slice_mm],
        "reasons": list(series.reasons),
        "header": series.header,
    }


@dataclass(frozen=True)
class GateFinding:
    """One thing the gate found: a refusal, or a warning.

    Attributes:
        code: Machine-readable, such as ``coverage_too_small``.
        text: One sentence: what was found, what is needed, what to do.
        series_id: Series it concerns; None for the whole study.
        can_be_overridden: False where nothing could be computed either.
    """

    code: str
    text: str
    series_id: str | None = None
    can_be_overridden: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return an item of ``eligibility.warnings`` of reading.json."""
        return {"code": self.code, "text": self.text, "series": self.series_id}


@dataclass(frozen=True)
class OutOfDistribution:
    """How a slice compares with real spines that a gate was calibrated on.

    Attributes:
        score: Likeness to a spine, a logit: higher is more alike.
        p_value: Conformal: the share of calibration patients (counting this one) that look no more like a spine.
        threshold: Below it the slice is refused: the share of real spines that the gate may refuse.
    """

    score: float
    p_value: float
    threshold: float

    @property
    def is_refused(self) -> bool:
        """Return whether the gate refuses such a slice."""
        return self.p_value < self.threshold

    def to_dict(self) -> dict[str, float]:
        """Return ``eligibility.ood`` of reading.json."""
        return {"score": self.score, "p_value": self.p_value, "threshold": self.threshold}


@dataclass(frozen=True)
class Eligibility:
    """Outcome of the gate before reading.

    Attributes:
        is_eligible: False refuses the study (exit code 3), unless it is overridden.
        reasons: Sentences of the refusals; empty when eligible.
        code: Machine-readable reason of the first refusal, else None.
        warnings: What is marginal or missing, without refusing the study.
        refusals: The same as ``reasons``, with codes.
        unusable_series: Ids of series that failed a check while another passed: they are not read.
        override: Why a person had the study read all the same; None when nobody did.
        ood: Of the slice the levels were named on; None before segmentation, or without a calibrated gate.
    """

    is_eligible: bool
    reasons: tuple[str, ...] = ()
    code: str | None = None
    warnings: tuple[GateFinding, ...] = ()
    refusals: tuple[GateFinding, ...] = ()
    unusable_series: tuple[str, ...] = ()
    override: str | None = None
    ood: OutOfDistribution | None = None

    @property
    def can_be_overridden(self) -> bool:
        """Return whether a person may have the study read all the same."""
        return bool(self.refusals) and all(item.can_be_overridden for item in self.refusals)

    def to_dict(self) -> dict[str, Any]:
        """Return the ``eligibility`` block of reading.json; what is empty is left out."""
        block: dict[str, Any] = {"eligible": self.is_eligible, "reasons": list(self.reasons)}
        if self.warnings:
            block["warnings"] = [item.to_dict() for item in self.warnings]
        if self.override is not None:
            block["overridden"] = {"reason": self.override, "codes": [item.code for item in self.refusals]}
        if self.ood is not None:
            block["ood"] = self.ood.to_dict()
        return block
