"""The records of an answer."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from anatomy import Side


class PartKind(StrEnum):
    """What a part of an answer is: checked against the findings, a frame around them, or general knowledge."""

    FINDING = "finding"
    FRAME = "frame"
    KNOWLEDGE = "knowledge"


@dataclass(frozen=True)
class Part:
    """A piece of an answer.

    Attributes:
        text: One or a few sentences.
        ids: Grades and measurements it states or rests on.
        kind: Finding, frame or knowledge.
        source: Of knowledge: where it is published.
    """

    text: str
    ids: tuple[str, ...] = ()
    kind: PartKind = PartKind.FRAME
    source: str | None = None


@dataclass(frozen=True)
class Topic:
    """What a conversation is about: what a question that names nothing is taken to mean.

    Attributes:
        levels: Disc levels.
        conditions: Conditions.
        sides: Patient's sides.
        quantities: Measurement names.
        intents: What was asked for.
    """

    levels: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    sides: tuple[Side, ...] = ()
    quantities: tuple[str, ...] = ()
    intents: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Answer:
    """What is said to a question.

    Attributes:
        text: One or a few sentences; plain text, to be escaped where it is shown.
        finding_ids: Grades and measurements that the answer rests on, each once.
        refused: True when the question was not answered.
        refusal: Topic of the refusal, such as ``treatment``; None for an answer.
        sources: Where general knowledge in the text is published, each once.
        passages: The parts of the text that are general knowledge and say nothing of this patient.
        topic: What the conversation is about after it; None where it leaves that as it was.
    """

    text: str
    finding_ids: tuple[str, ...] = ()
    refused: bool = False
    refusal: str | None = None
    sources: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    topic: Topic | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return {
            "text": self.text,
            "finding_ids": list(self.finding_ids),
            "refused": self.refused,
            "refusal": self.refusal,
            "sources": list(self.sources),
        }


@dataclass(frozen=True)
class Turn:
    """A question and its answer."""

    question: str
    answer: Answer


@dataclass(frozen=True)
class Conversation:
    """Questions on one reading, in order."""

    turns: tuple[Turn, ...] = ()

    @property
    def topic(self) -> Topic:
        """Return what the conversation is about: the topic of the last answer that has one."""
        topics = [turn.answer.topic for turn in self.turns if turn.answer.topic is not None]
        return topics[-1] if topics else Topic()

    def then(self, question: str, answer: Answer) -> "Conversation":
        """Return the conversation with one more turn."""
        return Conversation((*self.turns, Turn(question, answer)))
