"""Does the verifier hold against words that no template wrote? Sentences by hand, right ones and wrong ones.

    python -m benchmarks.paraphrases [--half development|practice|second|third|fourth|frozen] [--differences]

``tests/reporting/labelled/paraphrases_*.yaml`` hold sentences about small made-up findings
(``paraphrases_states.yaml``): correct ones, which must come out as supported; flips of them (side, level, grade,
negation, number), which must not; and sentences on what findings do not hold, or on what cannot be. No evidence
ids and no earlier sentence are given. The frozen half was written before the parser was changed and is only
counted: ``--differences`` never lists it. The practice set was written after the first count, to learn from; the
second set by another author before the rules were read, counted once and then learnt from.
Intervals are Wilson's at 95 %; the unit is the sentence, though the flips of one sentence share its words. Prints
Markdown and writes ``runs/benchmarks/paraphrases.json``.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from anatomy import CONDITIONS, SCALES, SIJ, Condition, Side
from benchmarks.planes import wilson
from grading.types import Burden, Findings, Grade, GradeStatus
from reporting import Checker, SentenceContext
from reporting.types import Verdict, VerdictStatus
from runtime.errors import ConfigError
from segmentation.types import Level, Measurement

HALVES = ("development", "practice", "second", "third", "fourth", "frozen")
FROZEN = "frozen"
FLIPS = ("side", "level", "grade", "negation", "number")
LABELS = ("unsupported", "impossible")
CORRECT = "correct"
_FOLDER = Path(__file__).parents[1] / "tests/reporting/labelled"
_WHOLE_STUDY = "patient"
_KIND_WIDTH = 3


@dataclass(frozen=True)
class Sentence:
    """A sentence with its label.

    Attributes:
        key: Id of the entry, with the number of the flip behind it (``d07/1``).
        state: Name of the findings it speaks of.
        kind: ``correct``, a kind of flip, ``unsupported`` or ``impossible``.
        text: The sentence.
    """

    key: str
    state: str
    kind: str
    text: str

    @property
    def is_correct(self) -> bool:
        """Return whether it must be supported."""
        return self.kind == CORRECT


@dataclass(frozen=True)
class Judged:
    """A sentence and what the verifier said of it."""

    sentence: Sentence
    verdict: Verdict

    @property
    def is_right(self) -> bool:
        """Return whether a correct sentence passed, or a wrong one did not."""
        return (self.verdict.status is VerdictStatus.SUPPORTED) == self.sentence.is_correct


@dataclass(frozen=True)
class Share:
    """A share with Wilson's 95 % interval."""

    count: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """Return the share."""
        return self.count / self.total

    def to_dict(self) -> dict[str, float | int]:
        """Return a figure of the record."""
        return {"count": self.count, "n": self.total, "value": self.value, "low": self.low, "high": self.high}


def main() -> None:
    arguments = _parse_arguments()
    halves = [arguments.half] if arguments.half else list(HALVES)
    judged = {half: judge(load_sentences(half)) for half in halves}
    figures = {half: summarise(items) for half, items in judged.items()}
    print("\n".join(table(figures)))
    for half in halves:
        if arguments.differences and half != FROZEN:
            print("\n".join(["", f"{half}, not as labelled:", *differences(judged[half])]))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    record = {half: {name: share.to_dict() for name, share in shares.items()} for half, shares in figures.items()}
    arguments.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def load_sentences(half: str) -> list[Sentence]:
    """Return the sentences of a half, each flip behind the sentence it is made of.

    Raises:
        ConfigError: If a label or kind is not known, or the words of a flip do not stand in the sentence once.
    """
    return [sentence for row in _read(f"paraphrases_{half}.yaml") for sentence in _sentences(row)]


@cache
def load_states() -> dict[str, Findings]:
    """Return the findings that the sentences speak of, by name.

    Raises:
        ConfigError: If a step is not on the scale of its condition.
    """
    return {name: _findings(name, row) for name, row in _read("paraphrases_states.yaml").items()}


def judge(sentences: Sequence[Sentence]) -> list[Judged]:
    """Run the verifier on each sentence alone."""
    checkers = {name: Checker(findings) for name, findings in load_states().items()}
    return [Judged(item, checkers[item.state].check(item.text, SentenceContext())) for item in sentences]


def summarise(judged: Sequence[Judged]) -> dict[str, Share]:
    """Return the shares caught, of each kind and of all wrong sentences, and the share of false alarms."""
    wrong = [item for item in judged if not item.sentence.is_correct]
    groups = {name: [item for item in wrong if item.sentence.kind == name] for name in (*FLIPS, *LABELS)}
    groups["flips"] = [item for item in wrong if item.sentence.kind in FLIPS]
    groups["all wrong"] = wrong
    shares = {name: _share([item.is_right for item in items]) for name, items in groups.items() if items}
    shares["false alarms"] = _share([not item.is_right for item in judged if item.sentence.is_correct])
    return shares


def table(figures: dict[str, dict[str, Share]]) -> list[str]:
    """Return the Markdown table: one row per kind, one column per half."""
    names = list(dict.fromkeys(name for shares in figures.values() for name in shares))
    lines = ["| | " + " | ".join(figures) + " |", "|---" * (len(figures) + 1) + "|"]
    for name in names:
        label = name if name == "false alarms" else f"{name}: caught"
        lines.append(f"| {label} | " + " | ".join(_cell(shares.get(name)) for shares in figures.values()) + " |")
    return lines


def differences(judged: Sequence[Judged]) -> list[str]:
    """Return a line for each sentence that was not judged as labelled, with the verifier's reasons."""
    return [
        f"- {item.sentence.key} {item.sentence.kind} ({item.sentence.state}): {item.sentence.text}"
        f" -> {item.verdict.status.value} ({'; '.join(item.verdict.reasons)})"
        for item in judged
        if not item.is_right
    ]


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=HALVES, help="only this half")
    parser.add_argument("--differences", action="store_true", help="list what fails outside the frozen half")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/paraphrases.json"))
    return parser.parse_args()


def _read(name: str) -> Any:
    return yaml.safe_load((_FOLDER / name).read_text(encoding="utf-8"))


def _sentences(row: dict[str, Any]) -> Iterator[Sentence]:
    key, state, text = row["id"], row["state"], row["text"]
    kind = row.get("label", CORRECT)
    if kind not in (*LABELS, CORRECT):
        raise ConfigError(f"paraphrase {key}: expected a label of {', '.join(LABELS)}, got {kind!r}")
    yield Sentence(key, state, kind, text)
    for number, flip in enumerate(row.get("flips", []), start=1):
        if len(flip) != _KIND_WIDTH or flip[0] not in FLIPS or text.count(flip[1]) != 1:
            raise ConfigError(f"paraphrase {key}: expected [kind, words in it once, words], got {flip!r}")
        yield Sentence(f"{key}/{number}", state, flip[0], text.replace(flip[1], flip[2]))


def _findings(name: str, row: dict[str, Any]) -> Findings:
    grades: list[Grade] = []
    for level, conditions in row["grades"].items():
        for condition, value in conditions.items():
            parts = value.items() if isinstance(value, dict) else [(None, value)]
            grades += [_grade(f"g{len(grades) + 1}", level, Condition(condition), *part) for part in parts]
    places = [level for level in row["grades"] if level not in {_WHOLE_STUDY, SIJ}]
    levels = tuple(
        Level(level, "S1", 7, (100.0, 50.0 + 40.0 * index), (130.0, 50.0 + 40.0 * index), None, 0.0, 60.0, 0.97)
        for index, level in enumerate(places)
    )
    burden = Burden(None, None, (), "made up")
    sequences = ("sagittal_t2", "sagittal_t1")
    return Findings(name, row["protocol"], sequences, levels, _measurements(row), tuple(grades), burden)


def _grade(key: str, level: str, condition: Condition, side: str | None, text: str) -> Grade:
    scale = _scale(condition, level)
    place = None if level == _WHOLE_STUDY else level
    half = None if side is None else Side(side)
    if text == "?":
        status = GradeStatus.NOT_ASSESSABLE
        return Grade(key, place, half, condition, scale, None, {}, (), status, "not in view", None)
    steps = tuple(text.split("|"))
    if not set(steps) <= set(SCALES[scale].grades):
        raise ConfigError(f"{condition.value} at {level}: expected steps of {scale}, got {text!r}")
    chances = {step: 1.0 / len(steps) for step in steps}
    return Grade(key, place, half, condition, scale, steps[-1], chances, steps, GradeStatus.GRADED, None, None)


def _scale(condition: Condition, level: str) -> str:
    if condition is Condition.CORD_COMPRESSION:
        return "kang"
    if condition is Condition.SACROILIITIS:
        return "as_status" if level == _WHOLE_STUDY else "as_stage"
    return CONDITIONS[condition].scales[0]


def _measurements(row: dict[str, Any]) -> tuple[Measurement, ...]:
    values = [
        (level, name, value) for level, named in row.get("values", {}).items() for name, value in named.items()
    ]
    return tuple(
        Measurement(f"m{index}", name, level, None, value, "mm", "made up", None, "S1", 7)
        for index, (level, name, value) in enumerate(values, start=1)
    )


def _share(right: Sequence[bool]) -> Share:
    low, high = wilson(sum(right), len(right))
    return Share(sum(right), len(right), low, high)


def _cell(share: Share | None) -> str:
    if share is None:
        return "-"
    return (
        f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f}), {share.count}/{share.total}"
    )


if __name__ == "__main__":
    main()
