"""How faithful is the report writer, and what does it read? Held-out studies, several parts taken away.

    python -m benchmarks.writer.channels [--regions runs/vlm/regions.npz]

The shipped adapter was trained without the patients of fold 0 (``training.held_out_fold`` of its ``config.json``);
their SPIDER gradings become findings, their middle slices the region embeddings (``--regions``, made when absent).
Written sentences are read back by the report parser before any repair. Prints Markdown tables and writes
``runs/benchmarks/writer_channels.json``.
"""

import argparse
import json
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from anatomy import Protocol, load_protocol
from benchmarks.writer.cases import Case, held_out_patients, spider_cases
from evaluation.bootstrap import Interval, bootstrap_by_patient
from reporting import facts_of, parse_report, split_sentences, verify_draft
from reporting.checker import SentenceContext, check_sentence
from reporting.types import (
    Draft,
    DraftSection,
    DraftSentence,
    Fact,
    Report,
    SentenceSource,
    VerdictStatus,
)
from runtime.settings import load_settings
from segmentation.types import Region
from vlm import Drafter
from vlm.prompt import SlotPrompt, load_layout
from vlm.training.examples import withheld_prompt
from vlm.training.real_findings import rated_only
from vlm.training.regions import RegionCache, cache_regions, load_region_cache

FINDINGS = "findings"


@dataclass(frozen=True)
class Score:
    """Counts of one patient's draft."""

    patient: int
    sentences: int
    repaired: int
    stated: int
    true: int
    agreeing: int
    contradictions: int


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    condition: str
    repaired_share: Interval
    fact_f1: Interval
    contradictions: int
    seconds_per_report: float


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    drafter = Drafter.load(weights_root=arguments.weights_root, name=arguments.name, device="cpu")
    bare = Drafter.load(weights_root=arguments.weights_root, name=arguments.name, device="cpu", use_adapter=False)
    first = None if arguments.patients is None else held_out_patients(arguments.fold)[: arguments.patients]
    cases = spider_cases(region_cache(arguments.regions, first), arguments.fold)[: arguments.patients]
    protocol = load_protocol("lumbar")
    rows = [
        measure("findings and regions", cases, drafted(drafter, protocol, lambda case: case.regions)),
        measure("adapter off", cases, drafted(bare, protocol, lambda case: case.regions)),
        measure("regions removed", cases, drafted(drafter, protocol, lambda case: ())),
        measure("regions of another patient", cases, drafted(drafter, protocol, swapped(cases))),
    ]
    rated = [replace(case, findings=replace(rated_only(case.findings), measurements=())) for case in cases]
    rows += [
        measure("findings removed", rated, withheld(drafter, lambda case: case.regions)),
        measure("findings removed, adapter off", rated, withheld(bare, lambda case: case.regions)),
        measure("findings removed, regions of another patient", rated, withheld(drafter, swapped(rated))),
        measure("findings and regions removed", rated, withheld(drafter, lambda case: ())),
    ]
    report(rows, arguments.out)


def region_cache(file: Path, patients: Collection[int] | None = None) -> RegionCache:
    """Return the cached regions of SPIDER's middle slices, made first when absent; those of a few are not kept."""
    if file.is_file():
        return load_region_cache(file)
    data_dir, protocol = load_settings().data_dir, load_protocol("lumbar")
    if patients is None:
        return cache_regions(data_dir, protocol, file)
    with TemporaryDirectory() as folder:
        return cache_regions(data_dir, protocol, Path(folder) / file.name, patients=patients)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regions", type=Path, default=Path("runs/vlm/regions.npz"))
    parser.add_argument("--weights-root", type=Path, default=None)
    parser.add_argument("--name", default="spine-tiny")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--patients", type=int, default=None, help="the first so many only; all when left out")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/writer_channels.json"))
    return parser.parse_args()


Regions = Callable[[Case], tuple[Region, ...]]
Drafting = Callable[[Case], Draft]


def swapped(cases: Sequence[Case]) -> Regions:
    """Return a source that gives each patient the next one's regions."""
    following = {case.patient: cases[(index + 1) % len(cases)].regions for index, case in enumerate(cases)}
    return lambda case: following[case.patient]


def drafted(drafter: Drafter, protocol: Protocol, regions: Regions) -> Drafting:
    """Return the service's own way of drafting."""
    return lambda case: drafter.write_draft(case.findings, regions(case), protocol)


def withheld(drafter: Drafter, regions: Regions) -> Drafting:
    """Return drafting from regions alone: no finding is in the prompt, only level names."""
    layout = load_layout(drafter.prompt_id)

    def draft(case: Case) -> Draft:
        levels = [level.name for level in case.findings.levels]
        given = regions(case)
        prompts = [
            SlotPrompt(
                withheld_prompt(layout, level, drafter.region_tokens),
                tuple(item.embedding for item in given if item.level == level),
            )
            for level in levels
        ]
        sentences = [
            DraftSentence(text, tuple(grade.id for grade in case.findings.grades_at(level)), SentenceSource.VLM)
            for level, written in zip(levels, drafter.write_slots(prompts), strict=True)
            for text in split_sentences(written)
        ]
        return Draft((DraftSection(FINDINGS, tuple(sentences)),))

    return draft


def measure(name: str, cases: Sequence[Case], drafting: Drafting) -> Row:
    began = time.perf_counter()
    drafts = [drafting(case) for case in cases]
    seconds = (time.perf_counter() - began) / len(cases)
    scores = [score(case, draft) for case, draft in zip(cases, drafts, strict=True)]
    patients = [item.patient for item in scores]
    table = np.array([[item.sentences, item.repaired, item.stated, item.true, item.agreeing] for item in scores])

    def repaired_share(rows: np.ndarray) -> float:
        sums = table[rows].sum(axis=0)
        return float(sums[1] / max(1, sums[0]))

    def fact_f1(rows: np.ndarray) -> float:
        sums = table[rows].sum(axis=0)
        return float(2 * sums[4] / max(1, sums[2] + sums[3]))

    return Row(
        condition=name,
        repaired_share=bootstrap_by_patient(patients, repaired_share),
        fact_f1=bootstrap_by_patient(patients, fact_f1),
        contradictions=sum(item.contradictions for item in scores),
        seconds_per_report=seconds,
    )


def score(case: Case, draft: Draft) -> Score:
    """Count sentences that verification repairs, and facts of the findings section before any repair."""
    report = verify_draft(draft, case.findings)
    written = [
        item.text for section in draft.sections for item in section.sentences if item.source is SentenceSource.VLM
    ]
    kept = [
        item.text for section in report.sections for item in section.sentences if item.source is SentenceSource.VLM
    ]
    section = next(item for item in draft.sections if item.name == FINDINGS)
    stated = {key_of(fact) for fact in parse_report(" ".join(item.text for item in section.sentences))}
    true = {key_of(fact) for fact in facts_of(case.findings)}
    repaired, agreeing = len(written) - len(kept), len(stated & true)
    return Score(
        case.patient, len(written), repaired, len(stated), len(true), agreeing, count_contradictions(report, case)
    )


def count_contradictions(report: Report, case: Case) -> int:
    """Return the sentences of a finished report that Findings contradict."""
    found = 0
    for section in report.sections:
        levels: tuple[str, ...] = ()
        for item in section.sentences:
            verdict = check_sentence(item.text, case.findings, SentenceContext(levels, item.finding_ids))
            levels = verdict.levels
            found += verdict.status is VerdictStatus.CONTRADICTED
    return found


def key_of(fact: Fact) -> tuple[object, ...]:
    """Return everything a fact says: level, side, condition, grade, negation, doubt."""
    return (fact.level, fact.side, fact.condition, fact.grade, fact.negated, fact.uncertain)


def report(rows: Sequence[Row], out: Path) -> None:
    print("A fact agrees in level, side, condition, grade, negation, doubt; intervals by patient.\n")
    print("| given to the writer | facts right before (F1) | repaired | contradicted after | s a report |")
    print("|---|---|---|---|---|")
    for row in rows:
        cells = (
            row.condition,
            row.fact_f1,
            row.repaired_share,
            row.contradictions,
            f"{row.seconds_per_report:.2f}",
        )
        print(f"| {' | '.join(str(cell) for cell in cells)} |")
    out.parent.mkdir(parents=True, exist_ok=True)
    record = {row.condition: asdict(row) for row in rows}
    out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
