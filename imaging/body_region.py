"""Chooses the protocol of a study from words of its header or file name; lumbar unless evidence says otherwise."""

from anatomy import protocol_names
from imaging.words import region_words
from runtime.errors import NotEligibleError

DEFAULT_PROTOCOL = "lumbar"


def choose_protocol(asked: str, words: str, *, is_file_name: bool = False) -> tuple[str, tuple[str, ...]]:
    """Return the protocol's name, and notices about the choice.

    Args:
        asked: ``auto`` or the name of a protocol; a name is followed whatever the words say.
        words: Plain text (``imaging.words.plain_text``) of body part, study and series descriptions, or of a file
            name; may be empty.
        is_file_name: The words are a file's name, where ``head`` or ``foot`` is no evidence.

    Raises:
        NotEligibleError: With ``auto``, when the words name a part of the body that no installed protocol reads
            (code ``wrong_body_part``).
    """
    ignored = {"not_spine"} if is_file_name else set()
    named = tuple(region for region in region_words(words) if region not in ignored)
    protocols = [region for region in named if region in protocol_names()]
    is_foreign = "thoracic" in named or _is_elsewhere(named)
    if asked != "auto":
        return asked, (*_disagreement(asked, protocols), *_foreign(asked, named, is_foreign and not protocols))
    if DEFAULT_PROTOCOL in protocols or not (protocols or is_foreign):
        others = [region for region in protocols if region != DEFAULT_PROTOCOL]
        return DEFAULT_PROTOCOL, _disagreement(DEFAULT_PROTOCOL, others)
    if not protocols:
        raise NotEligibleError(
            f"Header or file name says that the study shows {_part(named)}; expected: "
            f"{', '.join(protocol_names())}. Name the protocol if that is wrong.",
            code="wrong_body_part",
        )
    return protocols[0], _disagreement(protocols[0], protocols[1:])


def _part(named: tuple[str, ...]) -> str:
    return "the thoracic spine" if "thoracic" in named else "a part of the body that is not the spine"


def _foreign(asked: str, named: tuple[str, ...], is_foreign: bool) -> tuple[str, ...]:
    """Return a notice when the protocol that was asked for is read against the words of the input."""
    if not is_foreign:
        return ()
    return (f"Read with the {asked} protocol as asked, although words of the input name {_part(named)}.",)


def _is_elsewhere(named: tuple[str, ...]) -> bool:
    return "not_spine" in named and "spine" not in named


def _disagreement(chosen: str, others: list[str]) -> tuple[str, ...]:
    differing = [region for region in others if region != chosen]
    if not differing:
        return ()
    return (f"Read with the {chosen} protocol, although words of the input also name: {', '.join(differing)}.",)
