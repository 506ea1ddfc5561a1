"""Decides the weighting of a series from timing and words; what cannot be told stays ``unknown`` with a reason.

Timing is physics and wins over words; words decide where timing is missing or says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from imaging.types import Sequence
from imaging.words import has_word, plain_text, sequence_words

# Windows in ms. Ours, wide around routine spine protocols; checked on the headers of SPIDER's 360 series (T1: TE 7
# to 14, TR 446 to 746; T2 and T2 SPACE: TE 80 to 124, TR 1000 to 5570), doi 10.1038/s41597-024-03090-w.
T1_MAX_ECHO_MS = 35.0
T1_MAX_REPETITION_MS = 1300.0
T2_MIN_ECHO_MS = 60.0
T2_MIN_REPETITION_MS = 1000.0
# Fat is nulled at ln 2 times its T1: about 150 to 170 ms at 1.5 T, 200 to 260 ms at 3 T.
STIR_INVERSION_MS = (80.0, 300.0)
# T1 FLAIR nulls fluid between those of fat and of T2 FLAIR.
T1_FLAIR_INVERSION_MS = (400.0, 1300.0)


@dataclass(frozen=True)
class SequenceFinding:
    """What is known about the weighting of a series.

    Attributes:
        sequence: T1, T2, STIR, or unknown.
        reasons: One short sentence each.
        is_other: True when it is known to be none of T1, T2 and STIR (then it takes no role).
        is_fat_suppressed: By words or scan options; such a series comes after a plain one of its role.
        has_contrast: By words or header; likewise.
    """

    sequence: Sequence
    reasons: tuple[str, ...]
    is_other: bool = False
    is_fat_suppressed: bool = False
    has_contrast: bool = False


def sequence_from_name(stem: str) -> SequenceFinding:
    """Decide from the tokens of a file name, such as ``4_t2`` or ``sub-01_T1w``; a hint, and said to be one."""
    finding = _from_words(plain_text(stem), source="file name", other="other_in_name")
    if finding is None:
        reason = (
            "sequence unknown: the file name has no token such as t1, t2 or stir, and a bare image has no header"
        )
        return SequenceFinding(Sequence.UNKNOWN, (reason,))
    return finding


def sequence_from_header(
    facts: Mapping[str, float | str], *, scanning: frozenset[str], words: str
) -> SequenceFinding:
    """Decide from timing, then from words.

    Args:
        facts: Header facts with ``echo_time_ms``, ``repetition_time_ms``, ``inversion_time_ms`` where known.
        scanning: Codes of ScanningSequence, such as ``SE``, ``IR``, ``GR``; empty when not told.
        words: Plain text of descriptions and sequence names (``plain_text``).
    """
    by_timing = _from_timing(facts, scanning)
    by_words = _from_words(words, source="series description", other="other")
    chosen = by_timing or by_words
    if chosen is None:
        reason = "sequence unknown: neither timing nor description tells T1, T2 or STIR"
        return SequenceFinding(Sequence.UNKNOWN, (reason,))
    if by_timing and by_words and (by_timing.sequence, by_words.sequence) == (Sequence.T2, Sequence.STIR):
        # Echo and repetition time of a STIR are those of a T2; a header without inversion time cannot tell.
        chosen = by_words
    elif by_timing and by_words and by_timing.sequence is not by_words.sequence:
        reason = "the series description names another kind; the timing was followed"
        chosen = replace(by_timing, reasons=(*by_timing.reasons, reason))
    return replace(
        chosen,
        is_fat_suppressed=has_word("fat_suppressed", words),
        has_contrast=has_word("contrast", words),
    )


def _from_words(text: str, *, source: str, other: str) -> SequenceFinding | None:
    named = set(sequence_words(text))
    if "stir" in named:
        return SequenceFinding(Sequence.STIR, (f"sequence STIR: word in the {source}",))
    if has_word(other, text):
        reason = f"sequence unknown: the {source} names a kind that is none of T1, T2 and STIR"
        return SequenceFinding(Sequence.UNKNOWN, (reason,), is_other=True)
    if len(named) != 1:
        return None
    sequence = Sequence(named.pop())
    return SequenceFinding(
        sequence,
        (f"sequence {sequence.value.upper()}: word in the {source}",),
        is_fat_suppressed=has_word("fat_suppressed", text),
        has_contrast=has_word("contrast", text),
    )


def _from_timing(facts: Mapping[str, float | str], scanning: frozenset[str]) -> SequenceFinding | None:
    echo, repetition = _number(facts, "echo_time_ms"), _number(facts, "repetition_time_ms")
    inversion = _number(facts, "inversion_time_ms")
    if "IR" in scanning and inversion:
        if STIR_INVERSION_MS[0] <= inversion <= STIR_INVERSION_MS[1]:
            return SequenceFinding(Sequence.STIR, (f"sequence STIR: inversion time {inversion:g} ms",))
        is_flair = T1_FLAIR_INVERSION_MS[0] <= inversion <= T1_FLAIR_INVERSION_MS[1]
        if is_flair and echo is not None and echo <= T1_MAX_ECHO_MS:
            return SequenceFinding(
                Sequence.T1, (f"sequence T1 (inversion recovery): TE {echo:g} ms, TI {inversion:g} ms",)
            )
        return None
    if "IR" in scanning:
        return None  # without its inversion time it may be STIR or FLAIR
    if echo is None or repetition is None or scanning & {"GR", "EP"}:
        return None  # weighting of a gradient echo hangs on flip angle and spoiling: words must tell
    timing = f"TE {echo:g} ms, TR {repetition:g} ms"
    if echo >= T2_MIN_ECHO_MS and repetition >= T2_MIN_REPETITION_MS:
        return SequenceFinding(Sequence.T2, (f"sequence T2: {timing}",))
    if echo <= T1_MAX_ECHO_MS and repetition <= T1_MAX_REPETITION_MS:
        return SequenceFinding(Sequence.T1, (f"sequence T1: {timing}",))
    if echo <= T1_MAX_ECHO_MS:
        reason = f"sequence unknown: {timing} is proton-density weighting"
        return SequenceFinding(Sequence.UNKNOWN, (reason,), is_other=True)
    return None


def _number(facts: Mapping[str, float | str], name: str) -> float | None:
    value = facts.get(name)
    return value if isinstance(value, float) and value > 0 else None
