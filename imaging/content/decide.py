"""Uses the content of a picture or bare NIfTI where nothing else tells its plane and weighting.

The rules: a word in the file's name comes first, a NIfTI's affine too (somebody wrote them); then the content,
when it is sure; else the plane of the protocol's first role is assumed and the weighting stays unknown. Where
the content is sure of something else than what was followed, or sees a sagittal slice mirrored or upside down,
the reader gets a notice. Nothing is ever turned or flipped in silence.
"""

from collections.abc import Sequence as Sequences
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imaging.acquisition import Kind, SequenceFinding
from imaging.content.classify import ContentClassifier, ContentFinding, Position
from imaging.roles import Candidate
from imaging.types import Plane, Sequence, Series
from imaging.words import plane_words

MIN_SIDE_PX = 160
"""Smaller slices are not judged: the smallest of the 878 that the classifier was measured on has 216 pixels."""

_JUDGED = 3
"""Slices of a volume that are judged, around its middle."""


def decide_by_content(
    candidate: Candidate, classifier: ContentClassifier | None, *, protocol: str, words: str, is_plane_told: bool
) -> tuple[Candidate, tuple[str, ...]]:
    """Decide plane and weighting of a series without header.

    Args:
        candidate: As read, its plane that of the affine or assumed.
        classifier: None where its weights are not installed.
        protocol: Protocol it is read with; the content decides only for those it was measured on.
        words: Plain text of the file's name.
        is_plane_told: The file itself tells its plane (a NIfTI's affine).

    Returns:
        The candidate with plane, weighting and reasons; and notices for the reader.
    """
    named = plane_words(words)
    if not is_plane_told and len(named) == 1:
        candidate = _with_plane(candidate, Plane(named[0]), "word in the file name")
        is_plane_told = True
    why_not = _why_not_asked(candidate.series, classifier, protocol)
    if classifier is None or why_not is not None:
        return _with_reason(candidate, f"the content was not asked: {why_not}"), ()
    found = classifier.judge(_middle_slices(candidate.series))
    header = {**candidate.series.header, "content_weights": classifier.checksum[:16]}
    candidate = replace(candidate, series=replace(candidate.series, header=header))
    candidate, plane_notices = _decide_plane(candidate, found, is_plane_told)
    candidate, sequence_notices = _decide_sequence(candidate, found)
    return candidate, (*plane_notices, *sequence_notices, *_position_notices(candidate.series, found))


def _why_not_asked(series: Series, classifier: ContentClassifier | None, protocol: str) -> str | None:
    if classifier is None:
        return "no weights are installed"
    if protocol not in classifier.settings.protocols:
        return f"not measured for the {protocol} protocol"
    columns, rows, _ = series.volume.shape
    if min(columns, rows) < MIN_SIDE_PX:
        return f"{columns} x {rows} pixels, at least {MIN_SIDE_PX} on each side are needed"
    return None


def _decide_plane(candidate: Candidate, found: ContentFinding, is_told: bool) -> tuple[Candidate, tuple[str, ...]]:
    series = candidate.series
    share = f"{found.plane_probability:.0%}"
    if found.plane is Plane.UNKNOWN:
        reason = f"the content does not tell the plane (likeliest {found.likeliest_plane.value}, {share})"
        return _with_reason(candidate, reason), ()
    if found.plane is series.plane:
        return _with_reason(candidate, f"the content agrees: {found.plane.value} ({share})"), ()
    if is_told:
        notice = f"Series {series.id} is read as {series.plane.value}, but its content looks {found.plane.value}."
        return _with_reason(candidate, f"the content looks {found.plane.value} ({share})"), (notice,)
    notice = (
        f"Series {series.id} looks {found.plane.value} and is taken as such; say so in the file name if it is not."
    )
    return _with_plane(candidate, found.plane, f"from the content ({share})"), (notice,)


def _decide_sequence(candidate: Candidate, found: ContentFinding) -> tuple[Candidate, tuple[str, ...]]:
    series = candidate.series
    share = f"{found.sequence_probability:.0%}"
    if candidate.finding.is_other or found.sequence is series.sequence:
        return candidate, ()
    if found.sequence is Sequence.UNKNOWN:
        likeliest = found.likeliest_sequence.value.upper()
        if series.sequence is not Sequence.UNKNOWN:
            return candidate, ()
        return _with_reason(candidate, f"the content does not tell it (likeliest {likeliest}, {share})"), ()
    seen = found.sequence.value.upper()
    if series.sequence is not Sequence.UNKNOWN:
        notice = f"Series {series.id} is named {series.sequence.value.upper()}, but its content looks {seen}."
        reason = f"the content looks {seen} ({share}); the name was followed"
        return _with_reason(candidate, reason), (notice,)
    reason = f"sequence {seen}: from the content ({share})"
    finding = SequenceFinding(found.sequence, (reason,), kind=Kind(found.sequence.value))
    reasons = tuple(item for item in series.reasons if not item.startswith("sequence unknown"))
    told = replace(series, sequence=found.sequence, reasons=(*reasons, reason))
    return replace(candidate, series=told, finding=finding), ()


def _position_notices(series: Series, found: ContentFinding) -> tuple[str, ...]:
    if series.plane is not Plane.SAGITTAL or found.position in (Position.UPRIGHT, Position.UNKNOWN):
        return ()
    return (
        f"Series {series.id} seems to show {found.position.words}; it is read as it is, with the front at the "
        "left and the head on top. Turn it first if that is wrong.",
    )


def _middle_slices(series: Series) -> Sequences[NDArray[np.float32]]:
    count = series.volume.shape[2]
    middle = count // 2
    chosen = range(max(0, middle - _JUDGED // 2), min(count, middle + _JUDGED // 2 + 1))
    return [series.volume.slice_image(k) for k in chosen]


def _with_plane(candidate: Candidate, plane: Plane, why: str) -> Candidate:
    reasons = tuple(item for item in candidate.series.reasons if not item.startswith("plane "))
    series = replace(candidate.series, plane=plane, reasons=(f"plane {plane.value}: {why}", *reasons))
    return replace(candidate, series=series)


def _with_reason(candidate: Candidate, reason: str) -> Candidate:
    return replace(candidate, series=replace(candidate.series, reasons=(*candidate.series.reasons, reason)))
