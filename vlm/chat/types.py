"""The record of an answer."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What is said to a question.

    Attributes:
        text: One or a few sentences; plain text, to be escaped where it is shown.
        finding_ids: Grades and measurements that the answer rests on, each once.
        refused: True when the question was not answered.
    """

    text: str
    finding_ids: tuple[str, ...] = ()
    refused: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return {"text": self.text, "finding_ids": list(self.finding_ids), "refused": self.refused}
