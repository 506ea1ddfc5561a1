"""The questions of this folder and the facts that a right answer holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from anatomy import Condition

_FOLDER = Path(__file__).parent
HALVES = ("development", "frozen")
WORDS = {
    "canal": Condition.SPINAL_CANAL_STENOSIS,
    "foramen": Condition.NEURAL_FORAMINAL_NARROWING,
    "recess": Condition.SUBARTICULAR_STENOSIS,
    "pfirrmann": Condition.DISC_DEGENERATION,
    "height-loss": Condition.DISC_NARROWING,
    "bulge": Condition.DISC_BULGING,
    "herniation": Condition.DISC_HERNIATION,
    "slip": Condition.SPONDYLOLISTHESIS,
    "modic": Condition.MODIC,
    "upper": Condition.UPPER_ENDPLATE_CHANGE,
    "lower": Condition.LOWER_ENDPLATE_CHANGE,
    "cord": Condition.CORD_COMPRESSION,
    "joint": Condition.SACROILIITIS,
    "status": Condition.SACROILIITIS,
}


@dataclass(frozen=True)
class ExpectedFact:
    """``L4-L5 left foramen moderate|severe``.

    Attributes:
        level: None for the whole study.
        side: ``left``, ``right`` or None.
        condition: Which.
        steps: Steps as the parser writes them (``moderate|severe``); None where none is named.
        state: ``present``, ``absent``, ``possible`` or ``unknown``.
    """

    level: str | None
    side: str | None
    condition: Condition
    steps: str | None
    state: str

    @property
    def key(self) -> str:
        """Return what ``finding_id`` takes."""
        return " ".join(word for word in (self.level or "-", self.side, self.condition.value) if word)


@dataclass(frozen=True)
class Question:
    """A question with the facts of a right answer; the head of the YAML files says what each is."""

    id: str
    kind: str
    reading: str
    text: str
    earlier: tuple[str, ...]
    facts: tuple[ExpectedFact, ...]
    values: tuple[tuple[str, str], ...]
    cites: tuple[str, ...]
    says: tuple[str, ...]
    never: tuple[str, ...]
    source: str | None
    refusals: tuple[str, ...]
    others_allowed: bool


def load_questions(half: str) -> tuple[Question, ...]:
    """Return the questions of one half."""
    table = yaml.safe_load((_FOLDER / f"questions_{half}.yaml").read_text(encoding="utf-8"))
    return tuple(_question(row) for row in table["questions"])


def _question(row: dict[str, Any]) -> Question:
    return Question(
        id=row["id"],
        kind=row["kind"],
        reading=row["reading"],
        text=row["q"],
        earlier=tuple(row.get("earlier", ())),
        facts=tuple(_fact(text) for text in row.get("facts", ())),
        values=tuple(_value(text) for text in row.get("values", ())),
        cites=tuple(_key(text) for text in row.get("cites", ())),
        says=tuple(row.get("says", ())),
        never=tuple(row.get("never", ())),
        source=row.get("source"),
        refusals=tuple(row.get("refusal", ())),
        others_allowed=row.get("others") == "allowed",
    )


def _fact(text: str) -> ExpectedFact:
    level, *words = text.split()
    side = words.pop(0) if words[0] in ("left", "right") else None
    condition = WORDS[words.pop(0)]
    state = words.pop(0) if words[0] in ("present", "absent", "possible", "unknown") else "present"
    steps = words.pop(0) if words else None
    if words:
        raise ValueError(f"{text}: expected LEVEL [SIDE] WHAT STEPS")
    return ExpectedFact(None if level == "-" else level, side, condition, steps, state)


def _value(text: str) -> tuple[str, str]:
    level, name, number, *unit = text.split()
    return f"{level} {name}", " ".join((number, *unit))


def _key(text: str) -> str:
    *place, word = text.split()
    return " ".join((*place, WORDS[word].value if word in WORDS else word))
