"""One reference level against what a reading says of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anatomy import load_protocol
from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from runtime.errors import NotEligibleError
from segmentation.frame import SliceFrame
from segmentation.naming import LevelNaming
from segmentation.peaks import find_peaks
from segmentation.sagittal import SagittalReader
from segmentation.training.naming_cases import LEVELS, ReferenceSlice
from segmentation.types import Level, SliceMaps

WITHIN = 0.3
"""A level is right when its point lies within this many mean reference pitches of the reference."""


@dataclass(frozen=True)
class LevelScore:
    """One reference level of one patient.

    Attributes:
        patient: Patient number.
        fold: Fold in which the patient is held out.
        level: Disc level.
        error: Distance of the predicted point, in mean reference pitches; None when the level was not found.
        confidence: Of the name; 0 when not found.
        doubt: The level's doubt, or why it is missing.
        nearest: Predicted name of the disc nearest to the reference point; None when none is within ``WITHIN``.
    """

    patient: int
    fold: int
    level: str
    error: float | None
    confidence: float
    doubt: str | None
    nearest: str | None

    @property
    def is_right(self) -> bool:
        """Return whether name and place agree with the reference."""
        return self.error is not None and self.error <= WITHIN


@dataclass(eq=False)
class SeenNetwork:
    """A network that has already seen the one slice it is asked about."""

    maps: SliceMaps
    checksum: str = "seen"

    def segment_slices(
        self,
        images: NDArray[np.float32],
        spacing: Spacing | None,
        neighbours: NDArray[np.float32] | None = None,
    ) -> SliceMaps:
        """Return the maps."""
        return self.maps


def score_reading(maps: SliceMaps, naming: LevelNaming, reference: ReferenceSlice) -> list[LevelScore]:
    """Score a slice through the reader of sagittal series: scan, chain, gate, names."""
    levels: tuple[Level, ...] = ()
    reason = "level not found"
    series = single_slice(reference.image, reference.spacing).series[0]
    reader = SagittalReader(SeenNetwork(maps), load_protocol("lumbar"), None, naming)
    try:
        levels = reader.levels_of(reader.read(series), series)
    except NotEligibleError as error:
        reason = str(error)
    pitch = _pitch(reference)
    errors = {
        (level.name, name): float(np.linalg.norm(np.array(level.posterior_px) - reference.points_px[name])) / pitch
        for level in levels
        for name in LEVELS
    }
    found = {level.name: level for level in levels}
    return [_score(reference, name, errors, found, reason) for name in LEVELS]


def score_peaks(maps: SliceMaps, reference: ReferenceSlice) -> list[LevelScore]:
    """Score the bare maxima of the level maps: no chain, no doubt."""
    frame = SliceFrame.of(reference.spacing)
    peaks = find_peaks(maps, frame)
    pitch = _pitch(reference)
    scores = []
    for name in LEVELS:
        peak = peaks.get(name)
        error = None
        if peak is not None:
            error = float(np.linalg.norm(frame.to_px(peak.point) - reference.points_px[name])) / pitch
        doubt = "no peak" if peak is None else None
        scores.append(
            LevelScore(
                reference.patient, reference.fold, name, error, 0.0 if peak is None else peak.value, doubt, None
            )
        )
    return scores


def single_slice(image: np.ndarray, spacing: Spacing | None) -> Study:
    """Return a study of one sagittal T2 slice."""
    volume = Volume(image.T[:, :, None], spacing, None, (image.shape[1], image.shape[0], 1))
    series = Series("S1", "sagittal_t2", Plane.SAGITTAL, Sequence.T2, volume)
    return Study("benchmark", SourceKind.PICTURE, "lumbar", (series,))


def _pitch(reference: ReferenceSlice) -> float:
    """Return the mean distance of neighbouring reference points in pixels."""
    ordered = np.array([reference.points_px[name] for name in LEVELS])
    return float(np.linalg.norm(np.diff(ordered, axis=0), axis=1).mean())


def _score(
    reference: ReferenceSlice,
    name: str,
    errors: dict[tuple[str, str], float],
    found: dict[str, Level],
    reason: str,
) -> LevelScore:
    level = found.get(name)
    here = {given: error for (given, point), error in errors.items() if point == name}
    nearest = min(here, key=lambda key: here[key]) if here else None
    return LevelScore(
        patient=reference.patient,
        fold=reference.fold,
        level=name,
        error=here.get(name),
        confidence=level.confidence if level else 0.0,
        doubt=level.doubt if level else reason,
        nearest=nearest if nearest is not None and here[nearest] <= WITHIN else None,
    )
