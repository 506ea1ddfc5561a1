"""How consistently the writer says a sentence: the share of sampled drafts that state the same facts.

A sentence that the model would write this way every time rests on its prompt; one that other drafts say otherwise
was close to a guess. The score is independent of the verifier's verdict and is told beside it.

Source: self-consistency of sampled generations (Manakul et al., SelfCheckGPT, EMNLP 2023), with facts in the place
of words.
"""

from collections.abc import Sequence

from reporting.parsing import parse_report
from reporting.types import Fact

FactKey = tuple[object, ...]


def agreement(sentence: str, drafts: Sequence[str], level: str | None) -> float | None:
    """Return the share of drafts that state every fact of a sentence.

    Args:
        sentence: One sentence.
        drafts: Sampled texts of the same slot.
        level: Level of the slot, for a sentence that carries it on from the one before.

    Returns:
        0 to 1; None without drafts, or when the sentence states no fact.
    """
    stated = _facts(sentence, level)
    if not stated or not drafts:
        return None
    return sum(stated <= _facts(draft, level) for draft in drafts) / len(drafts)


def _facts(text: str, level: str | None) -> set[FactKey]:
    return {_key(fact, level) for fact in parse_report(text)}


def _key(fact: Fact, level: str | None) -> FactKey:
    return (fact.level or level, fact.side, fact.condition, fact.grade, fact.negated, fact.uncertain)
