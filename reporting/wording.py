"""Free wording put into the order of the phrase files, before a sentence is checked.

Radiologists put the level inside the structure (``both L5-S1 neural foramina are severely narrowed``), the grade
behind it (``severe on the left and moderate on the right``), leave words out that were said before (``moderate at
L3-L4, severe at L4-L5``), and write numbers before their names (``5.4 mm of slip``). Each rule here says the same in
other words; what no rule knows stays as it is. Rules neither add nor drop a claim: a word that a rule does not name
stops it, so that the check still sees that word. Patterns have no open repetition: the time is linear in the text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

from reporting.phrases import read_template

_LEVEL = r"[CTLDS]\d{1,2}(?:\s?[-/]\s?[CTLDS]?\d{1,2}| (?:on|over) [CTLDS]\d{1,2})"
_LEVELS = rf"{_LEVEL}(?:(?:, and |, | and | or | to | through ){_LEVEL}){{0,6}}"
_NUMBER = r"(?:(?:about|approximately) )?(\d{1,3}(?:\.\d{1,2})?) ?mm"
_SHORT_SIDES = {"lt": "left", "rt": "right", "both": "bilateral"}
_OF_THE_DISC = frozenset({"disc bulge", "disc herniation", "disc degeneration"})
_LONGEST = 600


@dataclass(frozen=True)
class Rule:
    """A pattern and what it becomes."""

    pattern: re.Pattern[str]
    write: Callable[[re.Match[str]], str]

    def apply(self, text: str) -> str:
        """Return the text with every match written anew."""
        return self.pattern.sub(self.write, text)


@lru_cache(maxsize=4096)
def plain_wording(text: str) -> str:
    """Return a sentence in the order of the phrase files; as it stands where no rule knows it.

    Args:
        text: One sentence; one longer than any sentence is left alone.
    """
    if len(text) > _LONGEST:
        return text
    for rule in _rules():
        text = rule.apply(text)
    return text


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
    return (*_object_rules(), *_head_rules(), *_graded_rules(), *_repeated_rules(), *_joint_rules(), *_value_rules())


def _rule(pattern: str, write: str | Callable[[re.Match[str]], str]) -> Rule:
    if isinstance(write, str):
        template = write
        return Rule(re.compile(pattern, re.IGNORECASE), lambda match: match.expand(template))
    return Rule(re.compile(pattern, re.IGNORECASE), write)


def _object_rules() -> list[Rule]:
    """What is said of a structure: narrowed, normal, not assessable; the level before, behind or after the verb."""
    table = read_template("wording.yaml")
    side, verb, fine, unseen = table["side"], table["verb"], table["fine"], table["not_assessed"]
    grades = rf"{table['grade']}(?:(?: to | or | and |-){table['grade']})?"
    rules = []
    for row in table["objects"]:
        lead = rf"\b(?:the )?(?:(?P<side>{side}) )?"
        place = rf"(?:(?P<before>{_LEVELS}) )?(?:{row['name']})(?: (?:at|of) (?P<behind>{_LEVELS}))?"
        ending = rf"(?P<sides> bilaterally)?(?: at (?P<after>{_LEVELS}))?(?= at any| at all| throughout|[.,;]| and| while| but| with| \(|$)"
        start = rf"{lead}{place} "
        state = rf"(?:(?:{verb}) )?(?:(?P<grade>{grades}) )?(?:{row['states']})"
        noun = row["noun"]
        denied = rf"{_fine(noun, fine)}not (?:{row['states']})"
        rules += [
            _rule(start + state + ending, lambda match, noun=noun: _stated(match, noun)),
            _rule(start + rf"(?:(?:{verb}) )?(?:{denied})" + ending, lambda match, noun=noun: _denied(match, noun)),
            _rule(start + rf"(?P<unseen>{unseen})" + ending, lambda match, noun=noun: _unseen(match, noun)),
        ]
        rules.append(_elliptic_rule(noun, rf"(?:{verb}) (?:{fine})"))
    return rules


def _fine(noun: str, fine: str) -> str:
    """Return what denies a noun: a normal disc may still bulge, so only ``not`` denies words of the disc itself."""
    return "" if noun in _OF_THE_DISC else f"{fine}|"


def _elliptic_rule(noun: str, said: str) -> Rule:
    """Repeat structure and level: ``left ... at L5-S1 while the right is clear``."""
    lead = rf"(?P<first>{re.escape(noun)} at (?P<level>{_LEVELS}))"
    link = r"(?:;|,| while| whereas| but|, while|, whereas|, but| and) (?:that )?(?:on )?(?:the )?(?P<side>left|right)"
    return _rule(
        rf"{lead}{link} {said}(?=[.;]|$)",
        lambda match: f"{match['first']}; no {match['side'].lower()} {noun} at {match['level']}",
    )


def _stated(match: re.Match[str], noun: str) -> str:
    grade = re.sub(r"ly\b", "", match["grade"] or "", flags=re.IGNORECASE)
    return " ".join(part for part in (grade, _side(match), noun, _at(match)) if part)


def _denied(match: re.Match[str], noun: str) -> str:
    return " ".join(part for part in ("no", _side(match), noun, _at(match)) if part)


def _unseen(match: re.Match[str], noun: str) -> str:
    return " ".join(part for part in (_side(match), noun, _at(match), match["unseen"]) if part)


def _side(match: re.Match[str]) -> str:
    side = (match["side"] or match["sides"] or "").strip().lower()
    return _SHORT_SIDES.get(side, "bilateral" if side == "bilaterally" else side)


def _at(match: re.Match[str]) -> str:
    level = match["before"] or match["behind"] or match["after"]
    return f"at {level}" if level else ""


def _graded_rules() -> list[Rule]:
    """A grade behind its noun: ``stenosis at L4-L5, severe on the left and moderate on the right``, ``is severe``."""
    table = read_template("wording.yaml")
    grade, places = table["grade"], table["places"]
    noun = rf"(?P<noun>{places} (?:stenosis|narrowing))"
    sided = r"(?: on the)? (?P<{0}>left|right)(?: side)?"
    first, second = rf"(?P<g1>{grade}){sided.format('s1')}", rf"(?P<g2>{grade}){sided.format('s2')}"
    return [
        _rule(
            rf"\b{noun} at (?P<level>{_LEVELS})(?:,|:| -|;| is| which is) {first}(?:,| and|, and| but) {second}\b",
            r"\g<g1> \g<s1> and \g<g2> \g<s2> \g<noun> at \g<level>",
        ),
        _rule(
            rf"\b(?:(?P<side>left|right|bilateral)(?:[- ]sided)? )?{noun} at (?P<level>{_LEVELS}) is (?P<g>{grade})\b",
            lambda match: " ".join(
                part for part in (match["g"], match["side"], match["noun"], "at", match["level"]) if part
            ),
        ),
        _rule(
            rf"\b{noun} at (?P<level>{_LEVELS}),? (?P<g>{grade})(?: on)?(?: both sides| bilaterally)\b",
            r"\g<g> bilateral \g<noun> at \g<level>",
        ),
        _rule(
            rf"\b{noun} is (?P<g1>{grade}) at (?P<level>{_LEVELS})(?P<link>,| and|, and| but) (?P<g2>{grade}) at\b",
            r"\g<g1> \g<noun> at \g<level>\g<link> \g<g2> \g<noun> at",
        ),
        _rule(
            rf"(?P<mods>\b(?:(?:{grade}|left|right|bilateral|both) ){{1,2}})(?P<level>{_LEVELS}) {noun}\b",
            r"\g<mods>\g<noun> at \g<level>",
        ),
        _rule(
            rf"\b(?P<word>stenosis|narrowing) of the (?P<side>left|right) (?:neural )?foramen at (?P<level>{_LEVELS}), "
            rf"(?P<g>{grade})(?=[.;]|$)",
            r"\g<g> \g<side> foraminal \g<word> at \g<level>",
        ),
        _rule(
            rf"\b(?P<a>{places})(?P<link> and | or |, )(?P<mods>(?:{grade} )?(?:(?:left|right|lt|rt|bilateral) )?)"
            rf"(?P<b>{places}) (?P<word>stenosis|narrowing)\b",
            r"\g<a> \g<word>\g<link>\g<mods>\g<b> \g<word>",
        ),
    ]


def _head_rules() -> list[Rule]:
    """Conditions that a sentence says to be there or not: ``is absent``, ``does not bulge``, ``shows no ...``."""
    heads = (
        r"(?:spondylolisthesis|listhesis|disc (?:herniation|bulge|protrusion|prolapse)|cord compression"
        r"|Modic changes?|(?:active )?sacroiliitis)"
    )
    at = rf"(?: at (?P<level>{_LEVELS}))?"
    return [
        _rule(rf"^(?P<head>{heads}){at} is absent(?: at (?P<after>{_LEVELS}))?(?=\.|$)", _absent),
        _rule(
            rf"\b(?:the )?(?:(?P<level>{_LEVELS}) )?discs?(?: at (?P<after>{_LEVELS}))? (?:does|do) not bulge\b",
            lambda match: _absent(match, "disc bulge"),
        ),
        _rule(
            rf"\b(?P<end>upper|lower|superior|inferior) endplates? (?:of|at) (?P<level>{_LEVELS}) shows irregularity",
            r"irregular \g<end> endplate at \g<level>",
        ),
    ]


def _absent(match: re.Match[str], head: str | None = None) -> str:
    level = match["level"] or match["after"]
    return f"no {head or match['head']}" + (f" at {level}" if level else "")


def _repeated_rules() -> list[Rule]:
    """A noun that is left out the second time: ``moderate stenosis at L3-L4, severe at L4-L5``; ``type 2 at ...``."""
    table = read_template("wording.yaml")
    grade = table["grade"]
    noun = rf"(?P<noun>{table['places']} (?:stenosis|narrowing))"
    step = r"(?:grades?|types?)? ?(?:[1-3]|I{1,3}|IV|V)"
    again = rf"(?P<one>Modic {step}(?: changes?)? at {_LEVEL})(?P<link>, | and |, and |; )(?P<two>type (?:[1-3]|I{{1,3}})) at\b"
    return [
        _rule(
            rf"\b(?P<one>{grade} {noun} at {_LEVELS})(?P<link>, | and |, and |; | but )(?P<two>{grade}) at (?={_LEVEL})",
            r"\g<one>\g<link>\g<two> \g<noun> at ",
        ),
        *[_rule(again, r"\g<one>\g<link>Modic \g<two> change at")] * 3,
    ]


def _joint_rules() -> list[Rule]:
    """Sides of the sacroiliac joints behind the word, and joints that are normal."""
    table = read_template("wording.yaml")
    joint = r"(?:sacroiliac joints?|SI joints?|SIJs?)"
    return [
        _rule(
            rf"\b(?P<stage>{table['stage']}) sacroiliitis (?:of|in|at|involving|affecting) (?:the )?(?P<side>left|right|both) {joint}",
            r"\g<stage> \g<side> sacroiliitis",
        ),
        _rule(
            rf"\b(?:the )?(?P<side>left|right|both) {joint} (?:is|are) (?:normal|unremarkable|clear)\b",
            r"no \g<side> sacroiliitis",
        ),
        _rule(
            rf"\b(?:the )?(?P<side>left|right|both) {joint} (?:shows?|demonstrates?|has|have) (?:an? )?"
            rf"(?P<stage>{table['stage']}) sacroiliitis\b",
            r"\g<stage> \g<side> sacroiliitis",
        ),
        _rule(
            rf"^(?:normal {joint}|(?:the )?{joint} (?:is|are) (?:normal|unremarkable|clear)(?: bilaterally)?)(?=\.|$)",
            "no sacroiliitis on either side",
        ),
    ]


def _value_rules() -> list[Rule]:
    """Numbers before their names, or far from them."""
    across = r"(?:AP|anteroposterior|sagittal)"
    return [
        _rule(rf",? measuring {_NUMBER} in {across} diameter\b", r", canal AP diameter \1 mm"),
        _rule(rf",? with an? {across} diameter of {_NUMBER}", r", canal AP diameter \1 mm"),
        _rule(
            rf"\b(?:the )?(?:spinal |central )?canal (?:measures|measured) {_NUMBER}(?: {across})? at (?={_LEVEL})",
            r"canal AP diameter \1 mm at ",
        ),
        _rule(
            rf"\b(canal AP diameter [\d.]{{1,6}} mm at {_LEVEL})(?:,| and|, and) {_NUMBER} at (?={_LEVEL})",
            r"\1 and canal AP diameter \2 mm at ",
        ),
        _rule(
            rf"\b(?:the )?(?P<name>(?:spinal |central )?(?:canal )?{across} (?:canal )?diameter(?: of the (?:spinal )?canal)?"
            rf"|disc height) (?:at|of) (?:the )?(?P<level>{_LEVEL})(?: level)? (?:measures|is|was|measured|=) {_NUMBER}",
            lambda match: f"{_value_name(match['name'])} {match[3]} mm at {match['level']}",
        ),
        _rule(rf"\b((?:spondylo)?listhesis(?: at {_LEVEL})?),? (?:measuring|of|by) {_NUMBER}", r"\1 (slip \2 mm)"),
        _rule(rf"\bwith {_NUMBER} of slip\b", r"(slip \1 mm)"),
        _rule(
            rf"\b(?:an? )?slip (?:of|at) ({_LEVEL}),? (?:measuring|measures|of|by) {_NUMBER}",
            r"spondylolisthesis at \1 (slip \2 mm)",
        ),
        _rule(r"\b(?:and|is) reduced in height\b", "with reduced disc height"),
    ]


def _value_name(text: str) -> str:
    return "disc height" if text.lower() == "disc height" else "canal AP diameter"
