"""Decides the weighting of a series from header codes, numbers and words; what cannot be told stays ``unknown``.

The rule, in this order:

1. A derived or special image is what a header code or a word calls it: diffusion, a map, a subtraction, a Dixon
   fat or
   opposed-phase image, MR myelography. The numbers of these are those of plain images and cannot tell them apart.
2. The numbers (``imaging.timing``) are physics: where they tell T1, T2, STIR or proton density, they win over
   words.
3. Words decide where the numbers are missing or leave it open. One case is left open by the numbers: a STIR whose
   header hides the inversion time has the echo and repetition time of a T2 or of a proton density.

A word that lost is always told in the reasons.
"""

from collections.abc import Mapping
from dataclasses import replace

from imaging.acquisition import Acquisition, Kind, SequenceFinding
from imaging.timing import Clue, kind_from_timing
from imaging.types import Sequence
from imaging.words import contrast_words, has_word, other_words, plain_text, sequence_words

__all__ = ["Acquisition", "Kind", "SequenceFinding", "sequence_from_header", "sequence_from_name"]

_UNSEEN_BY_TIMING = (
    Kind.SUBTRACTION, Kind.MAP, Kind.DIFFUSION, Kind.ANGIOGRAPHY, Kind.FAT_IMAGE, Kind.OPPOSED_PHASE,
    Kind.MYELOGRAPHY,
)  # fmt: skip
# AcquisitionContrast of enhanced MR. Source: DICOM PS3.3 C.8.13.3.1.1 and table C.8-84.
_CONTRAST_CODES = {
    "T1": Kind.T1, "T2": Kind.T2, "STIR": Kind.STIR, "PROTON_DENSITY": Kind.PROTON_DENSITY,
    "T2_STAR": Kind.T2_STAR, "FLUID_ATTENUATED": Kind.FLAIR, "DIFFUSION": Kind.DIFFUSION,
}  # fmt: skip
# Values of ImageType seen from the third on. Sources: DICOM PS3.3 C.8.13.1.1.1 (ADC, SUBTRACTION, WATER, ...) and
# the habits of Siemens (W, F, IN_PHASE, OUT_PHASE, TRACEW), Philips (W, F, IP, OP) and GE (WATER, FAT, InPhase).
_IMAGE_TYPES = {
    Kind.SUBTRACTION: {"SUBTRACTION", "SUBTRACT", "SUB"},
    Kind.MAP: {"ADC", "ADC_MAP", "EADC", "FA", "T1 MAP", "T2 MAP", "T2_STAR MAP", "T2MAP", "FAT_FRACTION", "FF"},
    Kind.DIFFUSION: {"DIFFUSION", "TRACEW", "DWI"},
    Kind.FAT_IMAGE: {"FAT", "F"},
    Kind.OPPOSED_PHASE: {"OUT_PHASE", "OPP_PHASE", "OUTPHASE", "OP"},
}
_WATER_TYPES = {"WATER", "W"}
_REFORMATTED_TYPES = {"MPR", "REFORMATTED", "RESAMPLED", "PROJECTION IMAGE", "MIN_IP", "MAX_IP", "CPR"}


def sequence_from_name(stem: str) -> SequenceFinding:
    """Decide from the tokens of a file name, such as ``4_t2`` or ``sub-01_T1w``; a hint, and said to be one."""
    text = plain_text(stem)
    clue = _clue_from_words(text, has_word("others_in_name", text), source="file name")
    if clue is None:
        reason = (
            "sequence unknown: the file name has no token such as t1, t2 or stir, and a bare image has no header"
        )
        return SequenceFinding(Sequence.UNKNOWN, (reason,))
    return replace(
        _finding(clue),
        is_fat_suppressed=clue.kind is not Kind.STIR and _says_fat_suppressed(text),
        has_contrast=contrast_words(text) is True,
    )


def sequence_from_header(
    facts: Mapping[str, float | str],
    *,
    scanning: frozenset[str],
    words: str,
    variant: frozenset[str] = frozenset(),
    options: frozenset[str] = frozenset(),
    image_type: tuple[str, ...] = (),
    contrast_code: str = "",
    has_contrast_agent: bool = False,
) -> SequenceFinding:
    """Decide from a header by the rule above; the arguments are those of ``Acquisition``."""
    acquisition = Acquisition(
        facts, words, scanning, variant, options, image_type, contrast_code, has_contrast_agent
    )
    return _describe(acquisition)


def _describe(acquisition: Acquisition) -> SequenceFinding:
    chosen, notes = _decide(acquisition)
    has_contrast, contrast_note = _contrast(acquisition, chosen.kind)
    water = _dixon(acquisition) == "water"
    is_suppressed = chosen.kind is not Kind.STIR and (
        water or "FS" in acquisition.options or _says_fat_suppressed(acquisition.words)
    )
    traits = [
        "Dixon water image, fat-suppressed" if water else "fat-suppressed" if is_suppressed else "",
        contrast_note,
    ]
    finding = _finding(chosen)
    return replace(
        finding,
        reasons=(*finding.reasons, *notes, *filter(None, traits)),
        is_fat_suppressed=is_suppressed,
        has_contrast=has_contrast,
        is_gradient_echo=chosen.is_gradient_echo or acquisition.scanning == {"GR"},
        is_reformatted=bool(_REFORMATTED_TYPES & set(acquisition.image_type))
        or has_word("reformatted", acquisition.words),
    )


def _decide(acquisition: Acquisition) -> tuple[Clue, tuple[str, ...]]:
    """Return the kind, and notes on what lost."""
    special = _special(acquisition)
    if special is not None:
        return special, ()
    by_timing = kind_from_timing(acquisition)
    by_words = _words_or_code(acquisition)
    if by_timing is None or by_words is None:
        nothing = Clue(Kind.UNKNOWN, "neither timing nor description tells T1, T2 or STIR")
        return by_timing or by_words or nothing, ()
    if by_timing.kind is by_words.kind:
        return by_timing, ()
    if _may_hide_inversion(acquisition, by_timing, by_words):
        return by_words, (
            "its header hides the inversion time; by timing alone it could be " + by_timing.kind.words,
        )
    if by_timing.is_gradient_echo and by_words.kind in (Kind.T2_STAR, Kind.STEADY_STATE):
        return by_words, ()
    note = f"the {_source(by_words)} names another kind ({by_words.kind.words}); the timing was followed"
    return by_timing, (note,)


def _special(acquisition: Acquisition) -> Clue | None:
    """Return what a derived or special image is called, by code or word."""
    codes = set(acquisition.image_type[2:])
    for kind, values in _IMAGE_TYPES.items():
        if codes & values:
            return Clue(kind, "by the image type of the header")
    if acquisition.contrast_code == "DIFFUSION":
        return Clue(Kind.DIFFUSION, "by the acquisition contrast of the header")
    phase = {"fat": Kind.FAT_IMAGE, "opposed": Kind.OPPOSED_PHASE}.get(_dixon(acquisition) or "")
    named = [phase] if phase else []
    named += [Kind(word) for word in other_words(acquisition.words)]
    return next((Clue(kind, _BY_DESCRIPTION) for kind in _UNSEEN_BY_TIMING if kind in named), None)


_BY_DESCRIPTION = "word in the series description"


def _words_or_code(acquisition: Acquisition) -> Clue | None:
    code = _CONTRAST_CODES.get(acquisition.contrast_code)
    words = _clue_from_words(acquisition.words, bool(other_words(acquisition.words)), source="series description")
    if (
        words is not None
        and words.kind is Kind.T2
        and "GR" in acquisition.scanning
        and "SE" not in acquisition.scanning
    ):
        words = Clue(Kind.T2_STAR, "the description says T2 of a gradient echo", is_gradient_echo=True)
    if code is None or (words is not None and code is Kind.T2 and words.kind is Kind.STIR):
        return words
    return Clue(code, "by the acquisition contrast of the header")


def _clue_from_words(text: str, is_other: bool, *, source: str) -> Clue | None:
    named = set(sequence_words(text))
    reason = f"word in the {source}"
    if "stir" in named:
        return Clue(Kind.STIR, reason)
    if is_other:
        others = other_words(text)
        return Clue(Kind(others[0]) if others else Kind.UNKNOWN, reason)
    return Clue(Kind(named.pop()), reason) if len(named) == 1 else None


def _may_hide_inversion(acquisition: Acquisition, by_timing: Clue, by_words: Clue) -> bool:
    """Say whether words may name an inversion that the numbers cannot show."""
    if acquisition.number("inversion_time_ms") is not None:
        return False
    if by_words.kind in (Kind.STIR, Kind.FLAIR):
        return by_timing.kind in (Kind.T2, Kind.PROTON_DENSITY)
    is_t1_flair = by_words.kind is Kind.T1 and has_word("inversion", acquisition.words)
    return is_t1_flair and by_timing.kind is Kind.PROTON_DENSITY


def _dixon(acquisition: Acquisition) -> str | None:
    """Return which image of a fat-water separation it is: in, opposed, water, fat; None when it is none."""
    if _WATER_TYPES & set(acquisition.image_type[2:]):
        return "water"
    words = acquisition.words
    if not has_word("is_dixon", words):
        return "fat" if has_word("fat_image", words) else "water" if has_word("water_image", words) else None
    return next((name for name in ("water", "fat", "opposed", "in") if has_word(f"dixon_{name}", words)), None)


def _contrast(acquisition: Acquisition, kind: Kind) -> tuple[bool, str]:
    """Say whether the series was taken after contrast medium, and why; words of the series win over the header.

    Scanners carry the agent's name through all series of an examination, those before it included.
    """
    by_words = contrast_words(acquisition.words)
    if kind is Kind.SUBTRACTION:
        return True, "after contrast medium: a subtraction"
    if by_words is False:
        named = (
            "; the header names an agent, the description was followed" if acquisition.has_contrast_agent else ""
        )
        return False, f"before contrast medium by the description{named}" if named else ""
    if acquisition.has_contrast_agent:
        return True, "after contrast medium: the header names an agent"
    return (True, "after contrast medium: by the description") if by_words else (False, "")


def _says_fat_suppressed(text: str) -> bool:
    return has_word("fat_suppressed", text) and not has_word("not_fat_suppressed", text)


def _source(clue: Clue) -> str:
    return "series description" if clue.reason == _BY_DESCRIPTION else "header"


def _finding(clue: Clue) -> SequenceFinding:
    kind = clue.kind
    if kind.sequence is not Sequence.UNKNOWN:
        reason = f"sequence {kind.words}: {clue.reason}"
    elif kind.is_other:
        reason = f"sequence unknown: {kind.words}, none of T1, T2 and STIR ({clue.reason})"
    else:
        reason = f"sequence unknown: {clue.reason}"
    return SequenceFinding(kind.sequence, (reason,), is_other=kind.is_other, kind=kind)
