"""The deterministic report: technique, findings level by level, impression. The fallback, and the verifier's pen.

Levels run from cranial to caudal; those with nothing abnormal share a sentence. What could not be assessed is said
once for the study, with the reason. The impression opens with what is critical and ranks levels by ``ranking``.
"""

from collections.abc import Sequence

from anatomy import CONDITIONS, Condition, load_protocol
from grading.types import Findings, Grade, GradeStatus
from reporting.burden import burden_details, burden_name
from reporting.grammar import absent_items, compose_level, join_items, level_words, positive_items
from reporting.levels_text import levels_text
from reporting.phrases import measurement_phrases, read_template
from reporting.places import level_place
from reporting.ranking import critical_items, headline, ranked_levels, report_levels
from reporting.serialise import graded_levels
from reporting.statements import Polarity, Statement, is_abnormal, said_measurements, states
from reporting.types import Draft, DraftSection, DraftSentence, SentenceSource
from reporting.unsettled import interrupted_canal, unsettled_lines

_IMPRESSION_LEVELS = 4
"""Levels with a line of their own in the impression; the rest are named together."""

_SIGNIFICANT = "significant "

_MEASURED = (Condition.DISC_NARROWING, Condition.SPINAL_CANAL_STENOSIS)
"""Conditions whose values are said where nothing could be graded: sizes mean something without a grade, a slip of
tenths of a millimetre does not."""

_IMPRESSION_ITEMS = 4
"""Statements in one line of the impression, worst first; more where two halves are found alike."""

_ENDPLATES = dict.fromkeys((Condition.UPPER_ENDPLATE_CHANGE, Condition.LOWER_ENDPLATE_CHANGE), "endplates")


def compose_report(findings: Findings) -> Draft:
    """Return the whole report of some findings; the same findings give the same text."""
    return Draft(
        (
            DraftSection("technique", tuple(compose_technique(findings))),
            DraftSection("findings", tuple(compose_findings(findings))),
            DraftSection("impression", tuple(compose_impression(findings))),
        )
    )


def compose_technique(findings: Findings) -> list[DraftSentence]:
    """Return what was read, what was covered, and the limits: each said once."""
    table = read_template("composer.yaml")
    roles = [_role_words(role, table["sequences"]) for role in findings.sequences]
    title = load_protocol(findings.protocol).title
    lines = [table["technique"].format(title=title, sequences=join_items(roles) if roles else "no known series")]
    levels = tuple(level for level in graded_levels(findings) if level is not None)
    if levels:
        lines.append(table["coverage"].format(levels=levels_text(levels)))
    lines += _length_limits(findings, table["no_lengths"])
    lines += [_as_sentence(notice) for notice in findings.notices]
    plain = [_sentence(text) for text in dict.fromkeys(lines)]
    return plain + _not_assessable(findings)


def compose_findings(findings: Findings) -> list[DraftSentence]:
    """Return the sentences level by level; unremarkable levels with the same conditions share one."""
    sentences: list[DraftSentence] = []
    done: set[str | None] = set()
    for level in graded_levels(findings):
        if level in done:
            continue
        alike = _unremarkable_like(findings, level)
        done.update(alike or (level,))
        sentences += [_unremarkable(findings, alike)] if len(alike) > 1 else compose_level(findings, level)
    if not _graded(findings.reported):
        sentences += [*_measured_levels(findings), nothing_graded(findings)]
    return sentences


def nothing_graded(findings: Findings) -> DraftSentence:
    """Return the sentence that closes the findings of a study of which nothing could be graded."""
    has_values = any(item.value is not None for item in findings.measurements)
    return _sentence(read_template("composer.yaml")["only_measured" if has_values else "nothing_graded"])


def _measured_levels(findings: Findings) -> list[DraftSentence]:
    """Return one sentence a level with its measured values, for a study of which nothing could be graded."""
    frame = read_template("composer.yaml")["measured"]
    phrases = {phrase.name: phrase for item in _MEASURED for phrase in measurement_phrases(item)}
    sentences = []
    for level in graded_levels(findings):
        values = [
            item
            for item in findings.measurements
            if item.level == level and item.side is None and item.value is not None and item.name in phrases
        ]
        if values and level is not None:
            texts = [phrases[item.name].text.format(value=f"{abs(item.value or 0.0):.1f}") for item in values]
            text = frame.format(level=level_words(level), values=join_items(texts))
            sentences.append(_sentence(text, tuple(item.id for item in values)))
    return sentences


def compose_impression(findings: Findings) -> list[DraftSentence]:
    """Return the ranked summary: what is critical, worst levels, further and unsettled ones, doubts, the score."""
    table = read_template("composer.yaml")
    critical = critical_items(findings)
    ranked = ranked_levels(findings)
    lines = [_sentence(table["critical"].format(item=item.text), item.finding_ids) for item in critical]
    interrupted = interrupted_canal(findings)
    lines += [] if interrupted is None else [_sentence(*interrupted)]
    lines += [_impression_line(findings, level) for level in ranked[:_IMPRESSION_LEVELS]]
    rest = [level for level in report_levels(findings) if level in ranked[_IMPRESSION_LEVELS:] and level]
    if rest:
        lines.append(_sentence(table["further"].format(levels=levels_text(rest)), _abnormal_ids(findings, rest)))
    lines += [_sentence(*line) for line in unsettled_lines(findings)]
    if not lines and _graded(findings.reported):
        graded = [grade for level in report_levels(findings) for grade in _graded(findings.grades_at(level))]
        lines.append(_sentence(table["nothing_abnormal"], tuple(grade.id for grade in graded)))
    lines += _doubts(findings, table["doubt"])
    return [*lines, _burden_line(findings)]


def _burden_line(findings: Findings) -> DraftSentence:
    table, burden, name = read_template("composer.yaml"), findings.burden, burden_name(findings.protocol)
    if burden.score is None:
        return _sentence(table["no_burden"].format(name=f"{name[:1].lower()}{name[1:]}"))
    details = burden_details(burden.category, burden.interval, burden.completeness)
    text = table["burden"].format(name=name, score=f"{burden.score:.0f}", details=details)
    return _sentence(text, tuple(term.grade_id for term in burden.terms))


def _impression_line(findings: Findings, level: str | None) -> DraftSentence:
    worst = _with_other_halves(headline(findings, level))
    ordered = [item for item in worst if item.polarity is Polarity.PRESENT]
    ordered += [item for item in worst if item.polarity is Polarity.POSSIBLE]
    items = join_items(positive_items(ordered))
    items = items.removeprefix("a ").removeprefix("an ")
    header = f"{level_words(level)}: " if level else ""
    ids = tuple(item.grade.id for item in ordered)
    ids += tuple(value.id for item in ordered for value in said_measurements(item))
    return _sentence(f"{header}{items[:1].upper()}{items[1:]}.", ids)


def _with_other_halves(ranked: Sequence[Statement]) -> list[Statement]:
    """Return the worst statements, and the other side or endplate of each where it is found alike."""
    named = {_half(item) for item in ranked[:_IMPRESSION_ITEMS]}
    return [item for index, item in enumerate(ranked) if index < _IMPRESSION_ITEMS or _half(item) in named]


def _half(statement: Statement) -> tuple[object, ...]:
    """Return what two sides of a place, or its two endplates, have in common when they are found alike."""
    subject = _ENDPLATES.get(statement.condition, statement.condition)
    return subject, statement.polarity, statement.steps


def _unremarkable_like(findings: Findings, level: str | None) -> tuple[str, ...]:
    """Return all levels with nothing abnormal and the same conditions as this one; empty when it is abnormal."""
    if level is None or not _is_unremarkable(findings, level):
        return ()
    signature = _signature(findings, level)
    others = [name for name in graded_levels(findings) if name is not None and _is_unremarkable(findings, name)]
    return tuple(name for name in others if _signature(findings, name) == signature)


def _is_unremarkable(findings: Findings, level: str) -> bool:
    return bool(_graded(findings.grades_at(level))) and not any(
        is_abnormal(item) for item in states(findings.grades_at(level), findings)
    )


def _signature(findings: Findings, level: str) -> tuple[tuple[str, str | None], ...]:
    graded = _graded(findings.grades_at(level))
    return tuple((grade.condition.value, grade.side.value if grade.side else None) for grade in graded)


def _unremarkable(findings: Findings, levels: tuple[str, ...]) -> DraftSentence:
    stated = states(_graded(findings.grades_at(levels[0])), findings)
    text = read_template("composer.yaml")["unremarkable"]
    items = absent_items([_without_values(item) for item in stated])
    ids = tuple(grade.id for level in levels for grade in _graded(findings.grades_at(level)))
    return _sentence(text.format(levels=levels_text(levels), items=_denied_items(items)), ids)


def _denied_items(items: Sequence[str]) -> str:
    """Join what is denied; those of which only a significant degree is denied come last."""
    plain = [item for item in items if not item.startswith(_SIGNIFICANT)]
    degrees = [item.removeprefix(_SIGNIFICANT) for item in items if item.startswith(_SIGNIFICANT)]
    significant = _SIGNIFICANT + join_items(degrees, " or ") if degrees else ""
    if not plain or not degrees:
        return join_items(plain, " or ") if plain else significant
    return f"{join_items(plain, ' or ')}, and no {significant}"


def _without_values(statement: Statement) -> Statement:
    return Statement(statement.grade, Polarity.ABSENT, (), ())


def _not_assessable(findings: Findings) -> list[DraftSentence]:
    """Return one sentence a reason: conditions with the levels where they could not be assessed."""
    table = read_template("composer.yaml")
    by_reason: dict[str, list[Grade]] = {}
    for grade in findings.reported:
        if grade.status is GradeStatus.NOT_ASSESSABLE:
            by_reason.setdefault((grade.reason or "no reason given").rstrip(". "), []).append(grade)
    sentences = []
    for reason, grades in by_reason.items():
        items = _items_with_levels(grades, findings, table)
        text = table["not_assessable"].format(items="; ".join(items), reason=reason)
        sentences.append(_sentence(text, tuple(grade.id for grade in grades)))
    return sentences


def _items_with_levels(grades: Sequence[Grade], findings: Findings, table: dict[str, str]) -> list[str]:
    every = [level for level in graded_levels(findings) if level is not None]
    by_levels: dict[tuple[str, ...], list[str]] = {}
    for condition in dict.fromkeys(grade.condition for grade in grades):
        levels = [grade.level for grade in grades if grade.condition is condition and grade.level is not None]
        by_levels.setdefault(tuple(dict.fromkeys(levels)), []).append(condition_words(condition))
    items = []
    for names, words in by_levels.items():
        frame = table["at_all_levels"] if list(names) == every else table["at_levels"]
        joined = join_items(words)
        items.append(frame.format(item=joined, levels=levels_text(names)) if names else joined)
    return items


def condition_words(condition: Condition) -> str:
    """Return the plain name of a condition inside a sentence."""
    return CONDITIONS[condition].words


def _length_limits(findings: Findings, frame: str) -> list[str]:
    """Say why there are no lengths, when there are none at all."""
    lengths = [item for item in findings.measurements if item.unit == "mm"]
    if not lengths or any(item.value is not None for item in lengths):
        return []
    reasons = dict.fromkeys((item.reason or "no reason given").rstrip(". ") for item in lengths)
    return [frame.format(reason="; ".join(reasons))]


def _doubts(findings: Findings, frame: str) -> list[DraftSentence]:
    by_reason: dict[str, list[str]] = {}
    for level in sorted(findings.levels, key=lambda item: level_place(item.name)):
        if level.doubt is not None:
            by_reason.setdefault(level.doubt.rstrip(". "), []).append(level.name)
    return [_sentence(frame.format(levels=levels_text(names), reason=why)) for why, names in by_reason.items()]


def _abnormal_ids(findings: Findings, levels: Sequence[str]) -> tuple[str, ...]:
    return tuple(item.grade.id for level in levels for item in headline(findings, level))


def _graded(grades: Sequence[Grade]) -> list[Grade]:
    return [grade for grade in grades if grade.status is GradeStatus.GRADED]


def _role_words(role: str, names: dict[str, str]) -> str:
    return " ".join(names.get(word, word) for word in role.split("_"))


def _as_sentence(notice: str) -> str:
    text = " ".join(notice.split()).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def _sentence(text: str, ids: tuple[str, ...] = ()) -> DraftSentence:
    return DraftSentence(text, ids, SentenceSource.COMPOSER)
