"""How well the parser reads 80 real radiologists' notes that were labelled by hand by LANGUAGE.md.

    python -m benchmarks.notes [--half development|frozen|both] [--differences]

Labels and their rules: ``tests/reporting/labelled/``. A fact counts as found when level, side, condition, grade,
negation and uncertainty are all equal (``strict``); beside it stand the facts without grade and uncertainty
(``core``). Counts are summed over notes; intervals are 95 % by bootstrap over notes (one note, one patient).
``--differences`` lists missed and spurious facts of the development half only: the frozen half is only scored.
"""

import argparse
import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.notes_draw import read_notes
from evaluation.bootstrap import Interval, bootstrap_by_patient
from reporting import parse_report
from runtime.settings import load_settings

OUT = Path("runs/benchmarks/notes.json")
LABELS = Path(__file__).parent.parent / "tests" / "reporting" / "labelled"
HALVES = ("development", "frozen")
SOURCE = Path("sudirman") / "notes.csv"


@dataclass(frozen=True, order=True)
class Label:
    """A fact without its sentence; an empty text means none.

    Attributes:
        level: Disc level.
        side: ``left``, ``right`` or empty.
        condition: Condition id.
        grade: As in ``reporting.types.Fact``.
        negated: The note denies it.
        uncertain: The note hedges it.
    """

    level: str
    side: str
    condition: str
    grade: str
    negated: bool
    uncertain: bool

    @property
    def core(self) -> "Label":
        """Return it without grade and uncertainty."""
        return Label(self.level, self.side, self.condition, "", self.negated, uncertain=False)


@dataclass(frozen=True)
class NoteResult:
    """Facts of one note.

    Attributes:
        note_id: Patient number of ``notes.csv``.
        truth: Labelled by hand.
        told: Read by the parser.
    """

    note_id: str
    truth: frozenset[Label]
    told: frozenset[Label]


def read_labels(half: str) -> dict[str, frozenset[Label]]:
    """Return ``note id -> facts`` of a half; a note without facts has an empty set."""
    facts: dict[str, set[Label]] = {}
    with (LABELS / f"notes_{half}.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            known = facts.setdefault(row["note_id"], set())
            if row["condition"]:
                known.add(_label(row))
    return {note_id: frozenset(known) for note_id, known in facts.items()}


def read_facts(note: str) -> frozenset[Label]:
    """Return what the parser reads from a note."""
    return frozenset(
        Label(
            fact.level or "",
            fact.side.value if fact.side else "",
            fact.condition.value,
            fact.grade or "",
            fact.negated,
            fact.uncertain,
        )
        for fact in parse_report(note)
    )


def read_half(half: str, notes: Mapping[str, str]) -> list[NoteResult]:
    """Return labels beside the parser's facts, note by note."""
    return [NoteResult(key, truth, read_facts(notes[key])) for key, truth in read_labels(half).items()]


def score(
    results: Sequence[NoteResult], *, core: bool = False, condition: str | None = None
) -> dict[str, Interval]:
    """Return ``precision``, ``recall`` and ``f1`` over all facts, or those of one condition, with intervals.

    A figure is nan where it is not defined (nothing told, nothing labelled).
    """
    counts = np.array([_counts(result, core=core, condition=condition) for result in results], dtype=float)
    ids = [result.note_id for result in results]
    names = ("precision", "recall", "f1")
    return {name: _interval(ids, counts, name) for name in names}


def f1_of(half: str, notes: Mapping[str, str]) -> float:
    """Return the strict F1 of a half."""
    counts = np.array([_counts(result) for result in read_half(half, notes)], dtype=float)
    return _figure(counts, "f1")


def _label(row: Mapping[str, str]) -> Label:
    return Label(
        row["level"],
        row["side"],
        row["condition"],
        row["grade"],
        negated=row["negated"] == "true",
        uncertain=row["uncertain"] == "true",
    )


def _counts(result: NoteResult, *, core: bool = False, condition: str | None = None) -> tuple[int, int, int]:
    """Return (found, told, labelled) of one note."""
    truth, told = (
        {fact.core if core else fact for fact in facts if condition in (None, fact.condition)}
        for facts in (result.truth, result.told)
    )
    return len(truth & told), len(told), len(truth)


def _interval(ids: Sequence[str], counts: NDArray[np.float64], name: str) -> Interval:
    value = _figure(counts, name)
    if np.isnan(value):
        return Interval(value, value, value, len(ids))
    return bootstrap_by_patient(ids, _statistic(counts, name))


def _statistic(counts: NDArray[np.float64], name: str) -> Callable[[NDArray[np.intp]], float]:
    return lambda chosen: _figure(counts[chosen], name)


def _figure(counts: NDArray[np.float64], name: str) -> float:
    found, told, labelled = counts.sum(axis=0)
    parts = {"precision": (found, told), "recall": (found, labelled), "f1": (2 * found, told + labelled)}
    share, whole = parts[name]
    return float(share / whole) if whole else float("nan")


def measure(half: str, notes: Mapping[str, str]) -> dict[str, Any]:
    """Return the figures of a half: strict, core and per condition."""
    results = read_half(half, notes)
    conditions = sorted({fact.condition for result in results for fact in result.truth | result.told})
    return {
        "notes": len(results),
        "facts": sum(len(result.truth) for result in results),
        "strict": _plain(score(results)),
        "core": _plain(score(results, core=True)),
        "conditions": {
            name: {
                "facts": sum(fact.condition == name for result in results for fact in result.truth),
                **_plain(score(results, condition=name)),
            }
            for name in conditions
        },
    }


def _plain(figures: Mapping[str, Interval]) -> dict[str, Any]:
    return {
        name: [None if np.isnan(value) else round(value, 4) for value in (item.value, item.low, item.high)]
        for name, item in figures.items()
    }


def _row(name: str, facts: int, figures: Mapping[str, Any]) -> str:
    cells = [
        "-" if values[0] is None else f"{values[0]:.3f} ({values[1]:.3f} to {values[2]:.3f})"
        for values in (figures[key] for key in ("precision", "recall", "f1"))
    ]
    return f"| {name} | {facts} | {' | '.join(cells)} |"


def table(half: str, figures: Mapping[str, Any]) -> str:
    """Return the figures of a half as Markdown."""
    facts = figures["facts"]
    lines = [
        f"{half}: {figures['notes']} notes, {facts} facts\n",
        "| facts | n | precision | recall | F1 |\n|---|---|---|---|---|",
        _row("all fields equal", facts, figures["strict"]),
        _row("without grade and hedge", facts, figures["core"]),
    ]
    lines += [_row(name, row["facts"], row) for name, row in figures["conditions"].items()]
    return "\n".join(lines) + "\n"


def differences(notes: Mapping[str, str]) -> list[str]:
    """Return one line per missed (``-``) and spurious (``+``) fact of the development half."""
    lines = []
    for result in read_half("development", notes):
        lines += [f"{result.note_id} - {fact}" for fact in sorted(result.truth - result.told)]
        lines += [f"{result.note_id} + {fact}" for fact in sorted(result.told - result.truth)]
    return lines


def main() -> None:
    """Parse, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--half", choices=(*HALVES, "both"), default="both")
    parser.add_argument("--differences", action="store_true", help="list them for the development half")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    notes = read_notes(load_settings().data_dir / SOURCE)
    facts = sum(len(read_facts(note)) for note in notes.values())
    print(f"{len(notes)} notes parsed without error, {facts} facts\n")
    chosen = HALVES if options.half == "both" else (options.half,)
    report: dict[str, Any] = {"parsed_notes": len(notes), "parsed_facts": facts}
    for half in chosen:
        report[half] = measure(half, notes)
        print(table(half, report[half]))
    if options.differences:
        print("\n".join(differences(notes)))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
