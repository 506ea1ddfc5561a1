"""A Dockerfile as instructions: comments out, continued lines joined, stages told apart."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOYMENT = ROOT / "deployment"


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        word: Such as ``RUN``.
        value: What follows, on one line.
    """

    word: str
    value: str

    @property
    def words(self) -> list[str]:
        """Return the words of its exec form (a JSON list)."""
        found: list[str] = json.loads(self.value)
        return found


def stages_of(text: str) -> list[list[Instruction]]:
    """Return the instructions of each stage; each begins with its ``FROM``."""
    stages: list[list[Instruction]] = []
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        word, _, value = line.strip().partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append(Instruction(word, re.sub(r"\s+", " ", value.strip())))
    return stages
