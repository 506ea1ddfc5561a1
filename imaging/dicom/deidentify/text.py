"""Text that may stay: controlled words, coded strings and forms of technical names. No other text passes.

What passes is made of words of ``policy.yaml`` only, so a name can not get through: a surname that happens to be
such a word (``Head``) is no more than that word.
"""

from imaging.dicom.deidentify.profile import policy
from imaging.words import (
    contrast_words,
    has_word,
    other_words,
    plain_text,
    plane_words,
    region_words,
    sequence_words,
)

MAX_DESCRIPTOR = 64
"""Characters of a descriptor: the limit of VR LO (PS3.5 6.2)."""

_BODY_PARTS = {
    "lumbar": "LSPINE",
    "cervical": "CSPINE",
    "thoracic": "TSPINE",
    "sacroiliac": "SIJ",
    "spine": "SPINE",
}
# A controlled word for each class of ``imaging.words`` whose name is not one itself.
_OTHERS = {
    "map": "adc", "t2_star": "t2s", "steady_state": "trufi", "proton_density": "pd", "myelography": "myelo",
    "angiography": "angio",
}  # fmt: skip
_KINDS = {
    "fat_suppressed": "fatsat", "localiser": "localiser", "reformatted": "mpr", "is_dixon": "dixon",
    "inversion": "ir",
}  # fmt: skip


def controlled_words(text: str) -> str:
    """Rewrite a description in controlled words, so that it names the same planes, sequences and regions.

    Returns:
        Lower case, at most ``MAX_DESCRIPTOR`` characters; empty when no word is known.
    """
    plain = plain_text(text)
    words = [word for word in map(_word, plain.split()) if word is not None]
    named = _cut(words)
    if _classes(named) == _classes(plain):
        return named
    # A word left out can hide a class or, between two others, make one: then only the classes are named.
    return _cut(list(_classes(plain)))


def controlled_code(keyword: str, value: str) -> str | None:
    """Return a coded string as it may stay, or None. A body part in other words becomes DICOM's own word."""
    value = value.strip()
    if value.upper() in policy().codes:
        return value.upper()
    if keyword == "BodyPartExamined":
        regions = [_BODY_PARTS[name] for name in region_words(plain_text(value)) if name in _BODY_PARTS]
        return regions[0] if regions else None
    return None


def controlled_form(keyword: str, value: str) -> str | None:
    """Return a technical text as it stands if it has the form that ``policy.yaml`` gives for it, else None."""
    pattern = policy().patterns.get(keyword)
    value = value.strip()
    if pattern is None or len(value) > MAX_DESCRIPTOR or not pattern.fullmatch(value):
        return None
    return value


def _word(word: str) -> str | None:
    rules = policy()
    if word in rules.words:
        return word
    return next((known for stem, known in rules.stems.items() if word.startswith(stem)), None)


def _classes(plain: str) -> tuple[str, ...]:
    """Return a controlled word for each class that a text names."""
    others = tuple(_OTHERS.get(name, name) for name in other_words(plain))
    regions = tuple(name for name in region_words(plain) if name in _BODY_PARTS)
    kinds = tuple(word for kind, word in _KINDS.items() if has_word(kind, plain))
    contrast = {True: ("contrast",), False: ("nativ",), None: ()}[contrast_words(plain)]
    return (*plane_words(plain), *sequence_words(plain), *others, *kinds, *contrast, *regions)


def _cut(words: list[str]) -> str:
    text = ""
    for word in words:
        if len(text) + 1 + len(word) > MAX_DESCRIPTOR:
            break
        text = f"{text} {word}".strip()
    return text
