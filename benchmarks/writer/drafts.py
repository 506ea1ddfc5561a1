"""Drafts to be read by hand against Findings, and what their reader found beside the verifier.

    python -m benchmarks.writer.drafts --out runs/drafts   # forty drafts before any repair, verdicts apart
    python -m benchmarks.writer.drafts --out runs/drafts --marks docs/drafts_read.csv

Held-out SPIDER patients (their gradings as findings) and drawn studies of all three body regions that training
never drew. ``NN.md`` holds the findings as a table and the draft as numbered sentences, and nothing of the
verifier; ``verdicts.csv`` holds what the verifier says of each sentence. The reader writes one row an error
(``draft,sentence,error``; sentence 0 for something that no sentence says) into the marks. With ``--marks`` the two
are compared: wrong sentences the verifier missed, right ones it would repair. Intervals are Wilson's at 95 %.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import torch

from anatomy import load_protocol
from benchmarks.planes import wilson
from benchmarks.writer.cases import Case, drawn_cases, spider_cases
from benchmarks.writer.channels import region_cache
from grading.types import Findings
from reporting import Checker
from reporting.statements import state
from reporting.types import Draft, DraftSentence, SentenceSource, VerdictStatus
from reporting.verifier import check_drafted
from vlm import Drafter

Spoken = Sequence[tuple[str, DraftSentence]]
"""Sentences with their sections."""

COUNTS = {"lumbar": 4, "cervical": 4, "sacroiliac": 2}
"""Drawn studies beside the real ones."""
REAL = 30
VERDICTS = "verdicts.csv"


def hand_cases(regions: Path, fold: int) -> list[tuple[str, Case]]:
    """Return the studies to be drafted, each with its body region."""
    cases = [("lumbar", case) for case in spider_cases(region_cache(regions), fold)[:REAL]]
    return cases + [(name, case) for name, count in COUNTS.items() for case in drawn_cases(name, count)]


def page(number: int, region: str, findings: Findings, sentences: Spoken) -> str:
    """Return the page of one draft: findings as a table, then numbered sentences."""
    lines = [
        f"# Draft {number}: {region}",
        "",
        "| level | side | condition | scale | cannot be excluded | values |",
    ]
    lines.append("|---|---|---|---|---|---|")
    for grade in findings.reported:
        said = state(grade, findings).measurements
        values = [f"{item.name} {abs(item.value or 0.0):.1f} {item.unit}" for item in said]
        steps = ", ".join(grade.prediction_set) or "not assessable"
        cells = (grade.level or "study", grade.side or "", grade.condition, grade.scale, steps, "; ".join(values))
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    for index, (section, item) in enumerate(sentences, start=1):
        lines.append(f"{index}. ({section}, {item.source}) {item.text}")
    return "\n".join(lines) + "\n"


def spoken(draft: Draft) -> Spoken:
    """Return the sentences of findings and impression with their sections."""
    return [
        (section.name, item)
        for section in draft.sections
        if section.name != "technique"
        for item in section.sentences
    ]


def verdicts(number: int, findings: Findings, sentences: Spoken) -> list[dict[str, str]]:
    """Return the verifier's verdict of each sentence."""
    checker, rows = Checker(findings), []
    levels: tuple[str, ...] = ()
    section = ""
    for index, (name, item) in enumerate(sentences, start=1):
        levels = levels if name == section else ()
        verdict = check_drafted(item, levels, checker)
        levels, section = verdict.levels, name
        told = {"draft": str(number), "sentence": str(index), "source": str(item.source)}
        rows.append(told | {"status": str(verdict.status), "reasons": "; ".join(verdict.reasons)})
    return rows


def write_drafts(out: Path, regions: Path, fold: int) -> None:
    """Draft all studies; write a page each and the verdicts."""
    out.mkdir(parents=True, exist_ok=True)
    drafter = Drafter.load(device="cpu")
    rows: list[dict[str, str]] = []
    for number, (region, case) in enumerate(hand_cases(regions, fold), start=1):
        sentences = spoken(drafter.write_draft(case.findings, case.regions, load_protocol(region)))
        (out / f"{number:02d}.md").write_text(page(number, region, case.findings, sentences), encoding="utf-8")
        rows += verdicts(number, case.findings, sentences)
    with (out / VERDICTS).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def compare(out: Path, marks: Path) -> list[str]:
    """Return Markdown: what the reader and the verifier each found in the sentences of the model."""
    with (out / VERDICTS).open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["source"] == SentenceSource.VLM]
    with marks.open(encoding="utf-8", newline="") as stream:
        marked = {(row["draft"], row["sentence"]) for row in csv.DictReader(stream)}
    said = {(row["draft"], row["sentence"]): row["status"] == VerdictStatus.SUPPORTED for row in rows}
    wrong = [key for key in said if key in marked]
    missed = [key for key in wrong if said[key]]
    in_vain = [key for key in said if key not in marked and not said[key]]
    lines = ["| | count | of | 95 % |", "|---|---|---|---|"]
    for name, count, total in (
        ("sentences a reader calls wrong", len(wrong), len(said)),
        ("of these, passed by the verifier", len(missed), len(wrong)),
        ("right ones the verifier would repair", len(in_vain), len(said) - len(wrong)),
    ):
        low, high = wilson(count, total) if total else (0.0, 1.0)
        lines.append(f"| {name} | {count} | {total} | {100 * low:.1f} to {100 * high:.1f} % |")
    return lines


def main() -> None:
    """Write the drafts, or compare marks with verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/drafts"))
    parser.add_argument("--regions", type=Path, default=Path("runs/vlm/regions.npz"))
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--marks", type=Path, default=None, help="errors a reader found: draft,sentence,error")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.marks is None:
        write_drafts(options.out, options.regions, options.fold)
        print(f"{options.out}: drafts and {VERDICTS}")
    else:
        print("\n".join(compare(options.out, options.marks)))


if __name__ == "__main__":
    main()
