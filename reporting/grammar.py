"""From the grades of one level to sentences, by the phrase files: one fixed wording, or seeded variants.

The fixed wording (``rng=None``) is the composer's. The variants teach the language model and test the parser:
whatever the style and the seed, the parser reads the same facts back.

One level is said in sentences by group of conditions (disc, canal, bone), then one sentence for what is not there.
Not-assessable grades are left out here; the composer says once for the study what could not be assessed.
"""

from collections.abc import Sequence
from random import Random

from anatomy import CONDITIONS, SCALES, SIJ, Condition, Side
from grading.types import Findings
from reporting.phrases import ConditionPhrases, Phrases, Style, load_phrases, load_styles, measurement_phrases
from reporting.statements import Polarity, Statement, named_steps, said_measurements, states
from reporting.types import DraftSentence, SentenceSource
from segmentation.types import Measurement

_ENDPLATES = (Condition.UPPER_ENDPLATE_CHANGE, Condition.LOWER_ENDPLATE_CHANGE)
_PAIR = 2


def compose_level(
    findings: Findings, level: str | None, *, style: str = "structured", rng: Random | None = None
) -> list[DraftSentence]:
    """Return the sentences on one level.

    Args:
        findings: The findings graph.
        level: Disc level, ``SIJ``, or None for grades of the whole study.
        style: ``structured``, ``telegraphic``, ``narrative`` or ``patient``.
        rng: Draws wordings; None takes the first of each list.

    Returns:
        Sentences with the ids they state; none when nothing at the level could be assessed.
    """
    stated = [
        item
        for item in states(findings.grades_at(level), findings)
        if item.polarity is not Polarity.NOT_ASSESSABLE
    ]
    return compose_statements(stated, level, style=style, rng=rng)


def vary(findings: Findings, level: str | None, rng: Random, style: str) -> list[DraftSentence]:
    """Return a seeded variant of the sentences on one level."""
    return compose_level(findings, level, style=style, rng=rng)


def compose_statements(
    statements: Sequence[Statement], level: str | None, *, style: str = "structured", rng: Random | None = None
) -> list[DraftSentence]:
    """Return the sentences that say some statements of one level, positive ones first."""
    writer = _Writer(load_styles().style(style), load_phrases(), rng)
    texts: list[tuple[str, tuple[str, ...]]] = []
    for group in load_styles().groups:
        present = [item for item in _certain_first(statements) if item.condition in group]
        if present:
            texts.append((writer.positive(present), _ids(present)))
    absent = [item for item in statements if item.polarity is Polarity.ABSENT]
    texts += [(writer.negative(part), _ids(part)) for part in _with_values_apart(absent)]
    if texts:
        texts[0] = (writer.opening(texts[0][0], level), texts[0][1])
    return [DraftSentence(_capital(text), ids, SentenceSource.COMPOSER) for text, ids in texts]


def noun_phrase(statement: Statement) -> str:
    """Return the composer's phrase for one positive statement, values included."""
    return _Writer(load_styles().style("structured"), load_phrases(), None).items([statement])[0]


def positive_items(statements: Sequence[Statement]) -> list[str]:
    """Return the composer's phrases for several positive statements of one level (sides are put together)."""
    return _Writer(load_styles().style("structured"), load_phrases(), None).items(statements)


def absent_items(statements: Sequence[Statement]) -> list[str]:
    """Return the composer's phrases for what is not there, to stand after ``no``."""
    return _Writer(load_styles().style("structured"), load_phrases(), None).absent_items(statements)


def join_items(items: Sequence[str], last: str = " and ") -> str:
    """Join a list as English does: ``a``, ``a and b``, ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])}{last}{items[-1]}"


def level_words(level: str | None) -> str:
    """Return a level as a report names it."""
    return "Sacroiliac joints" if level == SIJ else level or ""


class _Writer:
    """Draws wordings for one level; with no generator always the first."""

    def __init__(self, style: Style, phrases: Phrases, rng: Random | None) -> None:
        self.style = style
        self.phrases = phrases
        self.rng = rng

    def opening(self, text: str, level: str | None) -> str:
        header = "" if level is None else self.pick(self.style.header).format(level=level_words(level))
        starts_list = header.endswith((": ", " - "))
        return header + (_capital(_without_article(text)) if starts_list else text)

    def positive(self, statements: Sequence[Statement]) -> str:
        items = self.items(statements)
        frame = self.pick(self.style.positive)
        if len(items) > 1:
            frame = frame.replace(" is seen", " are seen")
        return frame.format(items=join_items(items, self.pick(self.style.joins)))

    def negative(self, statements: Sequence[Statement]) -> str:
        items = self.absent_items(statements)
        return self.pick(self.style.negative).format(items=join_items(items, self.pick(self.style.negative_joins)))

    def items(self, statements: Sequence[Statement]) -> list[str]:
        return [self._article(self._item(group)) for group in _merge(statements)]

    def absent_items(self, statements: Sequence[Statement]) -> list[str]:
        return [self._absent_item(group) for group in _merge(statements)]

    def pick(self, options: Sequence[str]) -> str:
        return options[0] if self.rng is None else self.rng.choice(options)

    def _item(self, group: list[Statement]) -> str:
        first = group[0]
        if len(group) == _PAIR and first.condition in _ENDPLATES:
            text = self._fill(self.pick(self.phrases.both_endplates.abnormal), first)
        elif len(group) == _PAIR and not _alike(*group):
            text = self._sided_pair(group)
        else:
            side = "bilateral" if len(group) == _PAIR else None
            text = self._fill(self.pick(self._wordings(first)), first, side=side)
        return text + values_text([value for item in group for value in said_measurements(item)], first.condition)

    def _absent_item(self, group: list[Statement]) -> str:
        first = group[0]
        if len(group) == _PAIR and first.condition in _ENDPLATES:
            return self.pick(self.phrases.both_endplates.absent)
        wording = self.pick(self._phrases_of(first).absent)
        if len(group) == _PAIR:
            text = " ".join(wording.replace("{side}", "").split()) + self.phrases.either_side
        else:
            text = self._fill(wording, first)
        return text + values_text([value for item in group for value in said_measurements(item)], first.condition)

    def _sided_pair(self, group: list[Statement]) -> str:
        sides = [f"{_steps_text(item)} {item.side.value if item.side else ''}" for item in group]
        head = self.phrases.heads[group[0].condition]
        return self.phrases.sided_pair.format(first=sides[0], second=sides[1], head=head)

    def _phrases_of(self, statement: Statement) -> ConditionPhrases:
        phrases = self.phrases.of(statement.grade)
        return phrases.in_plain_words() if self.style.is_plain else phrases

    def _wordings(self, statement: Statement) -> tuple[str, ...]:
        phrases = self._phrases_of(statement)
        steps = SCALES[statement.grade.scale]
        if phrases.explicit and any(not steps.step(step).is_abnormal for step in statement.steps):
            return phrases.explicit
        if not (phrases.stepped and statement.steps):
            return phrases.abnormal
        named = named_steps(statement.grade.scale)
        if named.issuperset(statement.steps):
            return phrases.stepped
        return phrases.either if named & set(statement.steps) else phrases.below

    def _fill(self, template: str, statement: Statement, *, side: str | None = None) -> str:
        hedge = self.pick(self.phrases.hedges) if statement.polarity is Polarity.POSSIBLE else ""
        own_side = statement.side.value if statement.side is not None else ""
        steps = _steps_text(statement)
        text = template.format(hedge=hedge, severity=steps, side=side or own_side, steps=steps)
        return " ".join(text.split())

    def _article(self, item: str) -> str:
        if not item.startswith("a "):
            return item
        rest = item.removeprefix("a ")
        if not self.style.has_articles:
            return rest
        return f"an {rest}" if rest[0] in "aeiou" else item


def values_text(measurements: Sequence[Measurement], condition: Condition) -> str:
    """Return values in brackets as a report says them, such as `` (canal AP diameter 9.8 mm)``; empty for none."""
    phrases = {phrase.name: phrase for phrase in measurement_phrases(condition)}
    texts = [
        phrases[item.name].text.format(value=f"{abs(item.value):.1f}")
        for item in measurements
        if item.value is not None
    ]
    return f" ({', '.join(texts)})" if texts else ""


def _merge(statements: Sequence[Statement]) -> list[list[Statement]]:
    """Put the two sides of a condition, and the two endplates, together where one phrase can say both."""
    groups: list[list[Statement]] = []
    for item in statements:
        last = groups[-1] if groups else []
        if len(last) == 1 and _can_pair(last[0], item):
            last.append(item)
        else:
            groups.append([item])
    return groups


def _can_pair(first: Statement, second: Statement) -> bool:
    if {first.condition, second.condition} == set(_ENDPLATES):
        return _alike(first, second)
    if first.condition is not second.condition or {first.side, second.side} != {Side.LEFT, Side.RIGHT}:
        return False
    if not CONDITIONS[first.condition].is_sided:
        return False
    return _alike(first, second) or (first.polarity is second.polarity is Polarity.PRESENT and bool(first.steps))


def _alike(first: Statement, second: Statement) -> bool:
    return first.polarity is second.polarity and first.steps == second.steps


def _certain_first(statements: Sequence[Statement]) -> list[Statement]:
    """Return what is there, then what is possible, so that a hedge never seems to cover what is certain."""
    order = (Polarity.PRESENT, Polarity.POSSIBLE)
    return [item for polarity in order for item in statements if item.polarity is polarity]


def _with_values_apart(absent: list[Statement]) -> list[list[Statement]]:
    """Give negative statements with a value their own sentence, so that the value stands beside one condition."""
    plain = [item for item in absent if not said_measurements(item)]
    apart = [[item] for item in absent if said_measurements(item)]
    return [*apart, plain] if plain else apart


def _steps_text(statement: Statement) -> str:
    return join_items(statement.steps, " or ") if statement.steps else ""


def _ids(statements: Sequence[Statement]) -> tuple[str, ...]:
    grades = [item.grade.id for item in statements]
    return (*grades, *(value.id for item in statements for value in said_measurements(item)))


def _without_article(text: str) -> str:
    return text.removeprefix("a ").removeprefix("an ")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
