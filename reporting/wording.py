"""Free wording put into the order of the phrase files, for a sentence that does not hold as it stands.

Radiologists put the level inside the structure (``both L5-S1 neural foramina are severely narrowed``), the grade
behind it (``severe on the left and moderate on the right``), leave out what was said before (``moderate at L3-L4,
severe at L4-L5``), and write numbers before their names (``5.4 mm of slip``). Each rule says the same in other
words; what no rule knows stays as it is. Rules neither add nor drop a claim: a word that a rule does not name
stops it, so that the check still sees that word. Rules are data (``templates/wording.yaml``) but for those of the
structures, whose level may stand in three places. Patterns have no open repetition: time is linear in the text.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

from reporting.phrases import read_template

_LEVEL = r"[CTDLS]\d{1,2}(?:\s?[-/]\s?[CTDLS]?\d{1,2}| (?:on|over) [CTDLS]\d{1,2})"
_LEVELS = rf"{_LEVEL}(?:(?:, and |, | and | or | to | through ){_LEVEL}){{0,6}}"
_NUMBER = r"(?:(?:about|approximately) )?(?P<mm>\d{1,3}(?:\.\d{1,2})?) ?mm"
_NAMES = ("grade", "stages", "joint", "across", "heads", "places")
_ENDING = (
    rf"(?P<sides> bilaterally)?(?: at (?P<after>{_LEVELS}))?"
    r"(?= at any| at all| throughout| to \d|[.,;]| and| while| but| with| \(|$)"
)
_ACT = "(?:narrowing|stenosis|encroachment|compromise)"
_OF_THE_DISC = frozenset({"disc bulge", "disc herniation", "disc degeneration"})
_SHORT_SIDES = {"lt": "left", "rt": "right", "both": "bilateral", "bilaterally": "bilateral"}
_SPACES = re.compile(r" {2,}")
_EMPTY_PLACE = re.compile(r" at (?=[.;]|$)")
_LONGEST = 600


@dataclass(frozen=True)
class Rule:
    """A pattern and what it becomes.

    Attributes:
        pattern: Read without regard to case.
        write: What a match becomes.
        rounds: How often it is tried: a list of equal parts needs one round for each.
    """

    pattern: re.Pattern[str]
    write: Callable[[re.Match[str]], str]
    rounds: int = 1

    def apply(self, text: str) -> str:
        """Return the text with every match written anew."""
        for _ in range(self.rounds):
            text, count = self.pattern.subn(self.write, text)
            if not count:
                break
        return text


@lru_cache(maxsize=4096)
def plain_wording(text: str) -> str:
    """Return a sentence in the order of the phrase files; as it stands where no rule knows it.

    Args:
        text: One sentence; one longer than any sentence is left alone.
    """
    if len(text) > _LONGEST:
        return text
    plain = text
    for rule in _rules():
        plain = rule.apply(plain)
    return text if plain == text else _EMPTY_PLACE.sub("", _SPACES.sub(" ", plain)).strip()


@cache
def neutral_words() -> frozenset[str]:
    """Return the words of facts that say no more than the fact does."""
    return frozenset(read_template("wording.yaml")["neutral"])


@cache
def glue_words() -> frozenset[str]:
    """Return the words that say nothing of the spine."""
    return frozenset(read_template("wording.yaml")["glue"])


@cache
def _rules() -> tuple[Rule, ...]:
    table = read_template("wording.yaml")
    of_objects = [rule for row in table["objects"] for rule in _object_rules(row, table)]
    return (*of_objects, *(_written_rule(row, table) for row in table["rules"]))


def _written_rule(row: list[Any], table: dict[str, Any]) -> Rule:
    """Return a rule of the table; a group that is not in the match leaves nothing."""
    pattern, template, *rounds = row
    values = {name: f"(?:{table[name]})" for name in _NAMES}
    values |= {"level": _LEVEL, "levels": _LEVELS, "number": _NUMBER}
    values["noun"] = rf"(?P<noun>{table['places']} (?:stenosis|narrowing))"
    for name, value in values.items():
        pattern = pattern.replace(f"%{name}%", value)
    return _rule(pattern, lambda match: match.expand(template), *rounds)


def _rule(pattern: str, write: Callable[[re.Match[str]], str], rounds: int = 1) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), write, rounds)


def _object_rules(row: dict[str, str], table: dict[str, Any]) -> Iterator[Rule]:
    """Yield what may be said of a structure: narrowed, normal, not assessable; the other side alike."""
    noun, verb = row["noun"], rf"(?:(?:{table['verb']}) )?"
    grades = rf"(?P<grade>{table['grade']}(?:(?: to | or | and |-){table['grade']})?) "
    lead = rf"\b(?:the )?(?:(?P<side>{table['side']})(?:[- ]sided)? )?"
    place = rf"(?:(?P<before>{_LEVELS}) )?(?:{row['name']})(?: (?:at|of) (?P<behind>{_LEVELS}))?"
    fine = f"not (?:{row['states']})"
    if noun not in _OF_THE_DISC:  # a normal disc may still bulge
        fine = f"{table['fine']}|{fine}"
    yield _rule(rf"{lead}{place} {verb}(?:{grades})?(?:{row['states']}){_ENDING}", partial(_stated, noun))
    yield _rule(rf"{lead}{place} {verb}(?:{fine}){_ENDING}", partial(_denied, noun))
    if noun not in _OF_THE_DISC:
        yield _rule(
            rf"{lead}{place} (?:{table['verb']}) not (?:{table['fine']}){_ENDING}(?P<grade>)",
            partial(_stated, noun),
        )
        before = r"\b(?:normal|preserved|maintained|adequate|patent|clear) "
        yield _rule(rf"{before}{lead[2:]}{place}{_ENDING}", partial(_denied, noun))
        yield _rule(
            rf"^{lead}{place}: (?:{table['fine']})(?=[.;]|$)(?P<sides>)(?P<after>)", partial(_denied, noun)
        )
    yield _rule(rf"\b(?:{grades})(?:{row['states']}) {lead[2:]}{place}{_ENDING}", partial(_stated, noun))
    yield _rule(rf"{lead}{place} (?P<unseen>{table['not_assessed']}){_ENDING}", partial(_unseen, noun))
    if row.get("acts"):
        yield _rule(rf"\b(?:{grades})?{_ACT} of {lead[2:]}{place}{_ENDING}", partial(_stated, noun))
        shows = "(?:shows?|demonstrates?|has|have)"
        yield _rule(rf"{lead}{place} {shows} {grades}{_ACT}{_ENDING}", partial(_stated, noun))
    yield _other_side_rule(noun, rf"(?:{table['verb']}) (?:{table['fine']})")


def _other_side_rule(noun: str, said: str) -> Rule:
    """Repeat structure and level: ``left ... at L5-S1 while the right is clear``."""
    first = rf"(?P<first>{re.escape(noun)} at (?P<level>{_LEVELS}))"
    link = r"(?:,? (?:while|whereas|but|and)|[;,]) (?:that on )?(?:the )?(?P<side>left|right)"
    return _rule(
        rf"{first}{link} {said}(?=[.;]|$)",
        lambda match: f"{match['first']}; no {match['side'].lower()} {noun} at {match['level']}",
    )


def _stated(noun: str, match: re.Match[str]) -> str:
    grade = re.sub(r"ly\b", "", match["grade"] or "", flags=re.IGNORECASE)
    return " ".join(part for part in (grade, _side(match), noun, _at(match)) if part)


def _denied(noun: str, match: re.Match[str]) -> str:
    return " ".join(part for part in ("no", _side(match), noun, _at(match)) if part)


def _unseen(noun: str, match: re.Match[str]) -> str:
    return " ".join(part for part in (_side(match), noun, _at(match), match["unseen"]) if part)


def _side(match: re.Match[str]) -> str:
    side = (match["side"] or match["sides"] or "").strip().lower()
    return _SHORT_SIDES.get(side, side)


def _at(match: re.Match[str]) -> str:
    level = match["before"] or match["behind"] or match["after"]
    return f"at {level}" if level else ""
