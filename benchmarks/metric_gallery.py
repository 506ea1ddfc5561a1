"""What SpineFact, CIDEr, BLEU-4 and ROUGE-L make of single errors in a report, and of faithful rewordings.

    python -m benchmarks.metric_gallery [--patients 60]

SPIDER's gradings (one expert; what SPIDER does not grade is drawn from the patient's own seed), worded by our
grammar level by level; each edit of ``gallery_edits`` is made once in each report that allows it. The figure is
the change of a report's score in per cent of that of an exact copy, mean over reports with a 95 % bootstrap
interval over patients. Below it: how often a metric gives a faithful rewording more than a wrong edit of the same
report (half for a tie), over all pairs. Texts of our own grammar are read without error by the parser, so what
people wrote is counted too: flips of hand-written sentences that lower SpineFact, correct ones all of whose facts
match the findings they were written for, and Sudirman's 417 notes. Prints Markdown and writes
``runs/benchmarks/metric_gallery.json``.
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anatomy import load_protocol
from benchmarks.gallery_edits import FAITHFUL, WRONG, Case, Edit, at_step
from benchmarks.notes_draw import read_notes
from benchmarks.paraphrases import FLIPS, FROZEN, HALVES, Sentence, load_sentences, load_states
from benchmarks.planes import wilson
from evaluation.bootstrap import Interval, bootstrap_by_patient
from evaluation.spinefact import Outcome, SpineFact, Statements, compare_reports, compare_texts, read_report
from evaluation.text.tokens import tokenise
from grading.types import Findings
from reporting import facts_of
from runtime.settings import load_settings
from vlm.training.real_findings import load_gradings, real_findings

OUT = Path("runs/benchmarks/metric_gallery.json")
SEED = 17
METRICS = ("spinefact_f1", "spinefact_finding_f1", "spinefact_abnormal_f1", "cider", "bleu_4", "rouge_l")
TIE = 1e-9
WORDS = {
    "correct": "correct sentences that state facts: all match the findings in full",
    "finding": "correct sentences that state facts: all match as findings",
    "value": "sentences, number flipped: value_errors rises",
    "stating facts": "real notes: at least one fact is read",
    "every side swapped": "real notes with a side, every one swapped: score falls",
    "every level one off": "real notes with a level, every one moved: score falls",
}
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One edit.

    Attributes:
        name: Of the edit.
        is_faithful: Whether the report says the same afterwards.
        reports: Edited.
        changes: Metric -> mean change, per cent of the score of an exact copy.
        scores: Metric -> (N,) scores of all reports, nan where the edit was not possible.
    """

    name: str
    is_faithful: bool
    reports: int
    changes: dict[str, Interval]
    scores: dict[str, Values]


def text_scores(predictions: Sequence[str], references: Sequence[str]) -> dict[str, Values]:
    """Return metric -> one value a report; document frequencies are those of the references."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    told = {row: [tokenise(text)] for row, text in enumerate(predictions)}
    truth = {row: [tokenise(text)] for row, text in enumerate(references)}
    facts = SpineFact().score(predictions, [[text] for text in references]).per_report
    return {
        **{name: facts[name] for name in METRICS if name in facts},
        "cider": np.asarray(Cider().compute_score(truth, told)[1], dtype=np.float64),
        "bleu_4": np.asarray(Bleu(4).compute_score(truth, told, verbose=0)[1][3], dtype=np.float64),
        "rouge_l": np.asarray(Rouge().compute_score(truth, told)[1], dtype=np.float64),
    }


def load_cases(count: int) -> list[Case]:
    """Return the first patients of SPIDER, each with the report of the next as another patient's."""
    protocol = load_protocol("lumbar")
    gradings = sorted(load_gradings(load_settings().data_dir).items())[:count]
    cases = []
    for patient, steps in gradings:
        findings = real_findings(steps, protocol, np.random.default_rng([SEED, patient]), widen=False)
        cases.append(Case(patient, _one_step_each(findings)))
    return [replace(case, others=cases[row - 1].reference) for row, case in enumerate(cases)]


def _one_step_each(findings: Findings) -> Findings:
    grades = tuple(at_step(grade, grade.grade) if grade.grade else grade for grade in findings.grades)
    return replace(findings, grades=grades, levels=tuple(replace(level, doubt=None) for level in findings.levels))


def measure(name: str, edit: Edit, cases: Sequence[Case], copies: dict[str, Values]) -> Row:
    """Make one edit in every report that allows it; the others stand as copies, so that document counts stay."""
    references = [case.reference for case in cases]
    edited = [edit(case) for case in cases]
    rows = np.array([row for row, text in enumerate(edited) if text is not None and text != references[row]])
    texts = [references[row] if text is None else text for row, text in enumerate(edited)]
    scores = text_scores(texts, references)
    patients = [cases[row].patient for row in rows]
    changes = {}
    for metric in METRICS:
        change = 100.0 * (scores[metric] - copies[metric])[rows] / copies[metric][rows]
        changes[metric] = _mean(patients, change)
    is_edited = np.isin(np.arange(len(cases)), rows)
    kept = {metric: np.where(is_edited, values, np.nan) for metric, values in scores.items()}
    return Row(name, name in FAITHFUL, len(rows), changes, kept)


def preferences(rows: Sequence[Row], cases: Sequence[Case]) -> dict[str, Interval]:
    """Return metric -> how often a faithful rewording scores more than a wrong edit of a report, per cent."""
    found = {}
    for metric in METRICS:
        wrong, faithful = (
            np.stack([row.scores[metric] for row in rows if row.is_faithful is kind]) for kind in (False, True)
        )
        gaps = faithful[:, None, :] - wrong[None, :, :]
        wins = np.where(np.isnan(gaps), np.nan, 0.5 + 0.5 * np.sign(np.where(np.abs(gaps) < TIE, 0.0, gaps)))
        shares = 100.0 * np.nanmean(wins.reshape(-1, len(cases)), axis=0)
        patients = [case.patient for case in cases]
        found[metric] = _mean(patients, shares)
    return found


def _mean(patients: Sequence[int], values: Values) -> Interval:
    return bootstrap_by_patient(patients, lambda chosen: float(np.nanmean(values[chosen])))


def hand_written(halves: Sequence[str] = HALVES) -> dict[str, dict[str, int]]:
    """Return for each kind of hand-written sentence how many there are and how many SpineFact takes rightly."""
    counts: dict[str, list[bool]] = {}
    states = load_states()
    for half in halves:
        plain: Sentence | None = None
        for sentence in load_sentences(half):
            if sentence.is_correct:
                plain = sentence
                compared = compare_reports(
                    read_report(sentence.text).stated, Statements(facts_of(states[sentence.state]))
                )
                stated = [pair for pair in compared.pairs if pair.stated is not None]
                if not stated:
                    continue  # a value, what was not assessable, or words that are not read
                counts.setdefault("finding", []).append(len(compared.findings) == len(compared.stated))
                is_right = all(pair.outcome is Outcome.MATCH for pair in stated)
            elif plain is not None and sentence.kind in FLIPS:
                pairs = compare_texts(sentence.text, plain.text).pairs
                is_right = any(pair.outcome is not Outcome.MATCH for pair in pairs)
            else:
                continue
            counts.setdefault(sentence.kind, []).append(is_right)
            if sentence.kind == "number" and plain is not None:
                scores = SpineFact().score([sentence.text], [[plain.text]]).corpus
                counts.setdefault("value", []).append(scores["spinefact_value_errors"] > 0)
    return {kind: {"right": sum(items), "n": len(items)} for kind, items in counts.items()}


def real_notes() -> dict[str, dict[str, int]]:
    """Return how many real notes state facts, and how many lose score when every side or level is moved."""
    notes = read_notes(load_settings().data_dir / "sudirman" / "notes.csv").values()
    counts = {"stating facts": [bool(read_report(text).facts) for text in notes]}
    for name, move in (("every side swapped", _sides_swapped), ("every level one off", _levels_moved)):
        moved = [(move(text), text) for text in notes]
        counts[name] = [
            any(pair.outcome is not Outcome.MATCH for pair in compare_texts(new, old).pairs)
            for new, old in moved
            if new != old
        ]
    return {name: {"right": sum(items), "n": len(items)} for name, items in counts.items()}


def _sides_swapped(text: str) -> str:
    other = {"left": "right", "right": "left", "lt": "rt", "rt": "lt"}
    return re.sub(r"\b(left|right|lt|rt)\b", lambda match: other[match[1].lower()], text, flags=re.IGNORECASE)


def _levels_moved(text: str) -> str:
    """Name each level L1 to L5 in words like ``L4-L5``, ``L4/5``, ``L5-S1`` one level higher."""
    pattern = r"\bL([2-5])(\s*[-/]\s*)(?:L?([3-5])|S1)\b"
    return re.sub(pattern, lambda match: f"L{int(match[1]) - 1}{match[2]}L{match[1]}", text, flags=re.IGNORECASE)


def table(rows: Sequence[Row], preferred: dict[str, Interval]) -> list[str]:
    """Return the gallery as Markdown."""
    lines = ["| edit | reports | " + " | ".join(METRICS) + " |", "|---" * (len(METRICS) + 2) + "|"]
    for is_faithful, title in ((False, "**wrong afterwards**"), (True, "**says the same**")):
        lines.append(f"| {title} |" + " |" * (len(METRICS) + 1))
        for row in (item for item in rows if item.is_faithful is is_faithful):
            cells = " | ".join(_cell(row.changes[metric]) for metric in METRICS)
            lines.append(f"| {row.name} | {row.reports} | {cells} |")
    cells = " | ".join(f"{item.value:.1f} ({item.low:.1f} to {item.high:.1f})" for item in preferred.values())
    return [*lines, f"| **faithful before wrong, %** | {next(iter(preferred.values())).patients} | {cells} |"]


def hand_table(counts: dict[str, dict[str, int]], frozen: dict[str, dict[str, int]]) -> list[str]:
    """Return counts as Markdown, with Wilson's 95 % interval; beside them those the parser never learnt from."""
    lines = ["| written by people | taken rightly | of these in the frozen half |", "|---|---|---|"]
    for kind, count in counts.items():
        words = WORDS.get(kind, f"sentences, {kind} flipped: score falls")
        lines.append(f"| {words} | {_share(count)} | {_share(frozen[kind]) if kind in frozen else '-'} |")
    return lines


def _share(count: dict[str, int]) -> str:
    right, total = count["right"], count["n"]
    low, high = wilson(right, total)
    return f"{100 * right / total:.0f} % ({100 * low:.0f} to {100 * high:.0f}), {right}/{total}"


def _cell(change: Interval) -> str:
    return f"{change.value:+.1f} ({change.low:+.1f} to {change.high:+.1f})"


def main() -> None:
    """Make every edit, print the tables and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    cases = load_cases(options.patients)
    references = [case.reference for case in cases]
    copies = text_scores(references, references)
    rows = [measure(name, edit, cases, copies) for name, edit in {**WRONG, **FAITHFUL}.items()]
    counts, frozen, preferred = hand_written() | real_notes(), hand_written((FROZEN,)), preferences(rows, cases)
    print("\n".join([*table(rows, preferred), "", *hand_table(counts, frozen)]))
    record = {
        "patients": len(cases),
        "edits": [
            {
                "name": row.name, "is_faithful": row.is_faithful, "reports": row.reports,
                "change_percent": {metric: asdict(item) for metric, item in row.changes.items()},
            }
            for row in rows
        ],
        "faithful_before_wrong_percent": {metric: asdict(item) for metric, item in preferred.items()},
        "written_by_people": counts,
        "written_by_people_frozen_half": frozen,
    }  # fmt: skip
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
