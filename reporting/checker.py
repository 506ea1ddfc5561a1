"""Does a sentence say what Findings say, all of it, and nothing else?

A sentence is supported in one of two ways. Either it is, word for word, one of the composer's sentences on
technique, limits, doubts or the burden score of these very findings. Or it is read to facts and values that all
agree, and every word of it is accounted for: by a fact, by the report vocabulary (``templates/``), or by glue such
as ``is seen``. Free text that claims something else (a fracture, a tumour, a shape, a comparison) has words that
nothing accounts for.

A sentence that names no level is read as a reader would: with the level last named in the text before it.
"""

import re
from dataclasses import dataclass, field, replace
from functools import cache

from anatomy import SIJ, Condition
from grading.types import Findings, Grade, GradeStatus
from reporting.burden import burden_name
from reporting.claim_facts import facts_of_claim, faults_of_claim
from reporting.compare import Agreement, compare_fact, grades_for, value_for, values_agree
from reporting.composer import compose_impression, compose_technique, nothing_graded
from reporting.parsing import SentenceReading, read_sentence, split_sentences
from reporting.parsing.claims import Claim, ClaimReading, read_claims
from reporting.parsing.lexicon import word_values, words
from reporting.parsing.measures import MEASURE
from reporting.parsing.spelling import canonical
from reporting.parsing.tokens import tokenise
from reporting.phrases import read_template
from reporting.statements import named_steps
from reporting.types import Fact, Verdict, VerdictStatus
from reporting.wording import glue_words, neutral_words

_WORD = re.compile(r"[a-z]+")
_TWICE_DENIED = re.compile(
    r"\b(?:no|not|never|neither|nor|without)"
    r"(?: (?!(?:seen|noted|present|and|or|with|but|while|whereas)\b)[a-z<>]+){0,6} "
    r"(?:no|not|neither|without|absent|absence|negative|adequate|patent|preserved|capacious|normal|free|clear|intact"
    r"|unremarkable|maintained|regular|spared)\b"
)
_COMPRESSED = frozenset({"compression", "compressed", "compresses", "compressing", "deformed", "pressure"})
_SPACE = frozenset({"effacement", "loss"})
_CENTRAL_DISC = re.compile(r"\bcentral(?= (?:disc|bulg|hernia|protru|prolap))")
"""A place in the disc, which no finding holds; of the canal the word is neutral."""
_PLACEHOLDER = re.compile(r"\{[a-z]+\}")


@dataclass(frozen=True)
class SentenceContext:
    """What is known of a sentence beside its text.

    Attributes:
        levels: Levels last named in the text before it.
        finding_ids: Evidence the draft gives; facts about anything else are unsupported. Empty asks for none.
        has_prior: Whether an earlier study was given, so that words of comparison are allowed.
    """

    levels: tuple[str, ...] = ()
    finding_ids: tuple[str, ...] = ()
    has_prior: bool = False


@dataclass
class _Notes:
    """What a check gathers."""

    contradicted: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


class Checker:
    """Checks sentences against one study's findings."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self._known = known_sentences(findings)

    def check(self, text: str, context: SentenceContext) -> Verdict:
        """Compare a sentence with the findings."""
        if text in self._known:
            return Verdict(VerdictStatus.SUPPORTED, (), (), self._known[text], context.levels)
        claimed = self._check_claims(text, context)
        if claimed is not None:
            return claimed
        return self._check_words(text, context)

    def _check_claims(self, text: str, context: SentenceContext) -> Verdict | None:
        """Compare what the clause grammar reads with the findings; None when it does not read all of the text."""
        notes = _Notes()
        levels = context.levels
        for part in split_sentences(text):
            reading = read_claims(part, levels)
            if reading is None:
                return None
            levels = reading.carried
            for claim in reading.claims:
                self._check_claim(claim, reading, part, context, notes)
            for value in reading.values:
                level = value.levels[0] if len(value.levels) == 1 else None
                self._check_value(value.name, level, value.value, value.unit, value.decimals, context, notes)
        return _verdict(notes, levels) if notes.ids or notes.contradicted or notes.unsupported else None

    def _check_claim(
        self, claim: Claim, reading: ClaimReading, text: str, context: SentenceContext, notes: _Notes
    ) -> None:
        if claim.implied and claim.condition not in {grade.condition for grade in self.findings.reported}:
            return
        facts = list(facts_of_claim(claim, reading, self.findings, text))
        if not facts:
            notes.unsupported.append("nothing was graded there")
        for fact in facts:
            if claim.unassessed:
                self._check_not_assessed(fact, notes)
            else:
                self._check_fact(fact, context, notes)
        notes.unsupported += faults_of_claim(claim, self.findings)

    def _check_words(self, text: str, context: SentenceContext) -> Verdict:
        """Compare what the wider reading finds in a sentence with the findings, clause by clause."""
        notes = _Notes()
        levels = context.levels
        claims = 0
        for part in split_sentences(text):
            for clause in part.split(";"):
                reading = read_sentence(clause.strip(), levels)
                levels = reading.levels
                claims += self._check_part(reading, context, notes)
        if not claims:
            notes.unsupported.append("it states no finding")
        return _verdict(notes, levels)

    def _check_part(self, reading: SentenceReading, context: SentenceContext, notes: _Notes) -> int:
        for fact in reading.facts:
            self._check_fact(fact, context, notes)
        for measured, decimals in zip(reading.measured, reading.decimals, strict=True):
            self._check_value(
                measured.name, measured.level, measured.value, measured.unit, decimals, context, notes
            )
        for fact in reading.not_assessed:
            self._check_not_assessed(fact, notes)
        extra = unaccounted_words(reading)
        if extra:
            notes.unsupported.append(f"words that no finding accounts for: {', '.join(extra)}")
        notes.unsupported += uncarried_words(reading) + misnamed_steps(reading)
        compared = [word for word in reading.words if word in words("comparison")]
        if compared and not context.has_prior:
            notes.unsupported.append(f"a comparison without an earlier study: {', '.join(compared)}")
        return len(reading.facts) + len(reading.measured) + len(reading.not_assessed)

    def _check_fact(self, fact: Fact, context: SentenceContext, notes: _Notes) -> None:
        fact = _placed(fact)
        grades = grades_for(fact, self.findings)
        if not grades:
            notes.unsupported.append(f"nothing was graded for {_label(fact)}")
            notes.facts.append(fact)
            return
        if fact.side is None and not fact.negated and len(grades) > 1:
            self._check_without_side(fact, grades, context, notes)
            return
        for grade in grades:
            self._check_grade(fact, grade, context, notes)

    def _check_grade(self, fact: Fact, grade: Grade, context: SentenceContext, notes: _Notes) -> None:
        agreement = compare_fact(fact, grade)
        found = f"{_label(fact)}: {_grade_label(grade)} was found"
        if agreement is Agreement.CONTRADICTS:
            notes.contradicted.append(found)
        elif agreement is Agreement.DIFFERS:
            notes.unsupported.append(found)
        elif context.finding_ids and grade.id not in context.finding_ids:
            notes.unsupported.append(f"{_label(fact)}: the evidence given is not about it")
        else:
            notes.ids.append(grade.id)
            return
        notes.facts.append(fact)

    def _check_without_side(
        self, fact: Fact, grades: list[Grade], context: SentenceContext, notes: _Notes
    ) -> None:
        """Positive words on a paired place need the side, unless both sides have it; none contradicts them."""
        agreements = [compare_fact(fact, grade) for grade in grades]
        if all(agreement is Agreement.AGREES for agreement in agreements):
            for grade in grades:
                self._check_grade(fact, grade, context, notes)
            return
        notes.facts.append(fact)
        if all(agreement is Agreement.CONTRADICTS for agreement in agreements):
            notes.contradicted.append(f"{_label(fact)}: found on neither side")
        else:
            notes.unsupported.append(f"{_label(fact)}: the side is missing")

    def _check_value(
        self,
        name: str,
        level: str | None,
        value: float,
        unit: str,
        decimals: int,
        context: SentenceContext,
        notes: _Notes,
    ) -> None:
        measurement = value_for(name, level, self.findings)
        label = f"{name} at {level or 'no level'}"
        if measurement is None or measurement.value is None or measurement.unit != unit:
            notes.unsupported.append(f"{label}: no such value in {unit}")
        elif not values_agree(value, decimals, measurement.value):
            notes.contradicted.append(f"{label}: {measurement.value:.1f} {unit} was measured, not {value}")
        elif context.finding_ids and measurement.id not in context.finding_ids:
            notes.unsupported.append(f"{label}: the evidence given is not about it")
        else:
            notes.ids.append(measurement.id)

    def _check_not_assessed(self, fact: Fact, notes: _Notes) -> None:
        alike = [grade for grade in self.findings.reported if grade.condition is fact.condition]
        meant = [grade for grade in alike if fact.level is None or grade.level == fact.level]
        meant = [grade for grade in meant if fact.side is None or grade.side is fact.side]
        if meant and all(grade.status is GradeStatus.NOT_ASSESSABLE for grade in meant):
            notes.ids.extend(grade.id for grade in meant)
            return
        notes.contradicted.append(f"{_label(fact)} was graded")
        notes.facts.append(fact)


def check_sentence(text: str, findings: Findings, context: SentenceContext | None = None) -> Verdict:
    """Compare one sentence with findings; for many sentences of one study build a ``Checker`` once.

    Args:
        text: The sentence.
        findings: The only source of facts.
        context: Level named before it, evidence ids, whether a prior was given; None for none of them.
    """
    return Checker(findings).check(text, context or SentenceContext())


def known_sentences(findings: Findings) -> dict[str, tuple[str, ...]]:
    """Return the composer's sentences on technique, limits, doubts and the score, with their ids."""
    table = read_template("composer.yaml")
    frames = ("critical", "interrupted", "unsettled", "further", "nothing_abnormal", "doubt", "no_burden")
    openings = (*(_PLACEHOLDER.split(table[name])[0] for name in frames), burden_name(findings.protocol))
    known = {item.text: item.finding_ids for item in compose_technique(findings)}
    known |= {
        item.text: item.finding_ids for item in compose_impression(findings) if item.text.startswith(openings)
    }
    if not any(grade.grade is not None for grade in findings.reported):
        known[nothing_graded(findings).text] = ()
    return known | {table["removed"]: ()}


def unaccounted_words(reading: SentenceReading) -> list[str]:
    """Return the words of a sentence that neither a fact, a value, a level, vocabulary nor glue accounts for."""
    extra = []
    for word, is_covered in zip(reading.words, reading.covered, strict=True):
        if word in _free_words():
            continue
        if not is_covered or word not in _vocabulary():
            extra.append(word)
    return extra + _CENTRAL_DISC.findall(" ".join(reading.words))


def uncarried_words(reading: SentenceReading) -> list[str]:
    """Return reasons for each negation or hedge that is written and that no fact of the reading carries."""
    reasons = []
    carried = any(fact.negated or fact.uncertain or _is_normal_step(fact) for fact in reading.facts)
    if not carried and not reading.not_assessed and any(word in words("negators") for word in reading.words):
        reasons.append("a negation that no finding carries")
    if _TWICE_DENIED.search(" ".join(reading.words)):
        reasons.append("a negation of what itself denies")
    doubted = any(fact.uncertain for fact in reading.facts) or reading.not_assessed
    if not doubted and any(word in words("hedges") for word in reading.words):
        reasons.append("a doubt that no finding carries")
    return reasons


def misnamed_steps(reading: SentenceReading) -> list[str]:
    """Return a reason where the words call a step below Kang's ``present_from`` a compression of the cord."""
    named = named_steps("kang")
    steps = {
        step
        for fact in reading.facts
        if fact.condition is Condition.CORD_COMPRESSION and not fact.negated
        for step in (fact.grade or "").split("|")
    }
    is_named = bool(_COMPRESSED & set(reading.words)) and not _SPACE & set(reading.words)
    return ["a step that is no compression of the cord"] if is_named and steps - named - {""} else []


def _is_normal_step(fact: Fact) -> bool:
    """Tell whether only normal Pfirrmann steps are stated, as in ``no disc degeneration (Pfirrmann grade I)``."""
    steps = set((fact.grade or "").split("|"))
    return fact.condition is Condition.DISC_DEGENERATION and steps <= {"I", "II"}


def _placed(fact: Fact) -> Fact:
    """Return a fact with its place: sacroiliitis with a side is that of a joint, named or not."""
    is_joint = fact.condition is Condition.SACROILIITIS and fact.level is None and fact.side is not None
    return replace(fact, level=SIJ) if is_joint else fact


@cache
def _free_words() -> frozenset[str]:
    """Return the words that need no fact: glue, and what negates or hedges."""
    return words("glue") | glue_words() | words("negators") | words("hedges") | {MEASURE}


@cache
def _vocabulary() -> frozenset[str]:
    """Return the canonical words of the phrase files, with the words of grades, sides, steps and levels."""
    found = {"<level>", "significant", "significantly", "definite", *"012345"}
    found |= {
        "i",
        "ii",
        "iii",
        "iv",
        "v",
        "mild",
        "moderate",
        "severe",
        "normal_mild",
        "early",
        "advanced",
        "side",
    }
    found |= {
        "cannot",
        "can",
        "could",
        "not",
        "be",
        "excluded",
        "exclude",
        "ruled",
        "out",
        "assessed",
        "assessable",
    }
    found |= set(word_values("sides")) | words("hedges") | words("negators") | {"grade", "type"}
    found |= neutral_words()
    for name in ("phrases.yaml", "styles.yaml"):
        for text in _strings(read_template(name)):
            plain = _PLACEHOLDER.sub(" ", text)
            found |= {token.text for token in tokenise(plain)}
    return frozenset(found | {canonical(word) for word in found if _WORD.fullmatch(word)})


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return []


def _verdict(notes: _Notes, levels: tuple[str, ...]) -> Verdict:
    if notes.contradicted:
        status = VerdictStatus.CONTRADICTED
    elif notes.unsupported:
        status = VerdictStatus.UNSUPPORTED
    else:
        status = VerdictStatus.SUPPORTED
    reasons = (*notes.contradicted, *notes.unsupported)
    return Verdict(status, tuple(notes.facts), reasons, tuple(dict.fromkeys(notes.ids)), levels)


def _label(fact: Fact) -> str:
    words_ = [fact.level or "no level", fact.side.value if fact.side else "", fact.condition.value]
    if fact.negated:
        words_.append("denied")
    elif fact.grade:
        words_.append(fact.grade)
    return " ".join(word for word in words_ if word)


def _grade_label(grade: Grade) -> str:
    if grade.status is GradeStatus.NOT_ASSESSABLE:
        return f"not assessable ({grade.reason})"
    return " or ".join(grade.prediction_set) or str(grade.grade)
