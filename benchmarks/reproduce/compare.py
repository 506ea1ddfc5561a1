"""Found figures beside expected ones: where a figure stands in a record, and whether it is the same."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from benchmarks.reproduce.plan import Figure


class Verdict(Enum):
    """What came of a figure."""

    REPRODUCED = "reproduced"
    DIFFERS = "differs"
    NOT_FOUND = "not found in the record"
    NOT_STORED = "no expected value stored"


class State(Enum):
    """What came of a part."""

    RUN = "run"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Compared:
    """A figure with what was found; None where nothing was."""

    figure: Figure
    found: float | None
    verdict: Verdict

    @property
    def difference(self) -> float | None:
        """Found less expected; None where one of them is missing."""
        if self.found is None or self.figure.expected is None:
            return None
        return self.found - self.figure.expected


@dataclass(frozen=True)
class Outcome:
    """What came of a part.

    Attributes:
        part: Its name.
        state: Run, skipped or failed.
        reason: Why it was skipped or failed; empty when it was run.
        seconds: That it took.
        figures: Compared; empty unless it was run.
    """

    part: str
    state: State
    reason: str = ""
    seconds: float = 0.0
    figures: tuple[Compared, ...] = ()

    @property
    def is_reproduced(self) -> bool:
        """Whether nothing speaks against it: skipped, or run with every figure inside its tolerance."""
        if self.state is State.RUN:
            return all(item.verdict is Verdict.REPRODUCED for item in self.figures)
        return self.state is State.SKIPPED


def compare_record(file: Path, figures: Iterable[Figure]) -> tuple[Compared, ...]:
    """Compare all figures of a record.

    Raises:
        json.JSONDecodeError: If the record is no JSON.
    """
    record = json.loads(file.read_text(encoding="utf-8"))
    return tuple(compare(figure, find_number(record, figure.pointer)) for figure in figures)


def compare(figure: Figure, found: float | None) -> Compared:
    """Judge one figure; a found value that is not finite never equals an expected one."""
    if found is None:
        verdict = Verdict.NOT_FOUND
    elif figure.expected is None:
        verdict = Verdict.NOT_STORED
    else:
        is_same = math.isfinite(found) and abs(found - figure.expected) <= figure.tolerance
        verdict = Verdict.REPRODUCED if is_same else Verdict.DIFFERS
    return Compared(figure, found, verdict)


def find_number(record: object, pointer: str) -> float | None:
    """Return the number at a JSON Pointer; None where there is nothing, or something else.

    Source: RFC 6901.
    """
    value = record
    for word in pointer.split("/")[1:]:
        key = word.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isascii() and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]


def table_text(outcomes: Sequence[Outcome]) -> str:
    """Return all parts and figures as a Markdown table."""
    lines = ["| part | figure | expected | found | difference | tolerance | verdict |", "|" + "---|" * 7]
    for outcome in outcomes:
        lines += _rows(outcome)
    return "\n".join(lines)


def _rows(outcome: Outcome) -> Iterator[str]:
    if outcome.state is not State.RUN:
        reason = outcome.reason.replace("|", "\\|").replace("\n", " ")
        yield f"| {outcome.part} | all | - | - | - | - | **{outcome.state.value}**: {reason} |"
    for item in outcome.figures:
        verdict = item.verdict.value if item.verdict is Verdict.REPRODUCED else f"**{item.verdict.value}**"
        cells = (
            outcome.part,
            item.figure.pointer.replace("|", "\\|"),
            _text(item.figure.expected),
            _text(item.found),
            "-" if item.difference is None else f"{item.difference:+.2g}",
            f"{item.figure.tolerance:g}",
            verdict,
        )
        yield f"| {' | '.join(cells)} |"


def summary_text(outcomes: Sequence[Outcome]) -> str:
    """Return one paragraph: how many figures came out again, and what did not."""
    figures = [item for outcome in outcomes for item in outcome.figures]
    counts = {verdict: sum(item.verdict is verdict for item in figures) for verdict in Verdict}
    texts = [f"{count} {verdict.value}" for verdict, count in counts.items() if count]
    lines = [f"{len(figures)} figures of {sum(item.state is State.RUN for item in outcomes)} parts"]
    if texts:
        lines[0] += ": " + ", ".join(texts)
    for state in (State.SKIPPED, State.FAILED):
        names = [item.part for item in outcomes if item.state is state]
        if names:
            lines.append(f"{state.value}: {', '.join(names)}")
    return "; ".join(lines) + "."


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
