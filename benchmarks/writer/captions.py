"""CIDEr of drafts against references in four styles, beside baselines that read nothing.

    python -m benchmarks.writer.captions [--regions runs/vlm/regions.npz]

Held-out SPIDER patients (fold 0). Five references each: their gradings worded by our grammar in the four styles
with drawn wordings, and once more in the structured one. Candidates: the writer in each style; the composer; a
constant normal report and the most frequent template of the training patients (``evaluation.honesty``); the report
of the training patient with the nearest region embeddings. CIDEr as pycocoevalcap prints it (10 for a copy of rare
words), by ``evaluation.text`` (docs/metrics/cider.md); differences from the writer are paired by patient with 95 %
bootstrap intervals. Also: share of distinct reports and the CIDEr of each report against those of other patients.
Writes ``runs/benchmarks/writer_captions.json``.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anatomy import load_protocol
from benchmarks.writer.cases import Case, spider_cases
from benchmarks.writer.channels import FINDINGS, region_cache
from evaluation.bootstrap import bootstrap_by_patient
from evaluation.honesty.baselines import commonest, constant_normal
from evaluation.text import open_metric
from grading.types import Findings
from reporting import compose_report
from reporting.types import Draft
from vlm import Drafter
from vlm.training.corpus import STYLES, level_text

OUT = Path("runs/benchmarks/writer_captions.json")
PUBLISHED = 0.928
_OTHERS = 12
"""Reports of other patients that each is compared with."""


def reference_text(findings: Findings, style: str, rng: np.random.Generator | None) -> str:
    """Return the findings of a study, level by level, in a style with drawn wording (None: the composer's)."""
    levels = dict.fromkeys(grade.level for grade in findings.reported)
    return " ".join(level_text(findings, level, style, rng) for level in levels)


def references_of(case: Case) -> list[str]:
    """Return five references: the four styles, and the structured one again with other words."""
    rng = np.random.default_rng([11, case.patient])
    return [reference_text(case.findings, style, rng) for style in (*STYLES, STYLES[0])]


def section_text(draft: Draft) -> str:
    """Return the findings section of a draft."""
    section = next(item for item in draft.sections if item.name == FINDINGS)
    return " ".join(item.text for item in section.sentences)


def nearest_neighbours(cases: Sequence[Case], training: Sequence[Case]) -> list[str]:
    """Return for each case the report of the training patient with the nearest mean region embedding."""
    known = [case for case in training if case.regions]
    table = np.stack([_mean_embedding(case) for case in known])
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    texts = []
    for case in cases:
        if not case.regions:
            texts.append(section_text(compose_report(known[0].findings)))
            continue
        mine = _mean_embedding(case)
        nearest = int(np.argmax(table @ (mine / np.linalg.norm(mine))))
        texts.append(section_text(compose_report(known[nearest].findings)))
    return texts


def _mean_embedding(case: Case) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean([region.embedding.ravel() for region in case.regions], axis=0, dtype=float)
    return mean


def cider_of(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Return the CIDEr of each candidate, document frequencies from these references."""
    return open_metric("cider").score(candidates, references).per_report["cider"]


def cider_against_others(texts: Sequence[str]) -> float:
    """Return the mean CIDEr of each report against those of other patients: the higher, the more alike.

    Not Self-CIDEr, which is the spectrum of all pairs (``evaluation.honesty``).
    """
    rng = np.random.default_rng(3)
    others = [
        [texts[index] for index in rng.permutation(np.delete(np.arange(len(texts)), place))[:_OTHERS]]
        for place in range(len(texts))
    ]
    return float(cider_of(texts, others).mean())


def candidates_of(cases: Sequence[Case], training: Sequence[Case], drafter: Drafter) -> dict[str, list[str]]:
    """Return name -> one text a case; the writer's usual style comes first."""
    protocol = load_protocol("lumbar")
    written = {
        f"writer, {style}": [
            section_text(drafter.write_draft(case.findings, case.regions, protocol, style=style)) for case in cases
        ]
        for style in STYLES
        if drafter.knows_style(style)
    }
    composed = [section_text(compose_report(case.findings)) for case in training]
    return written | {
        "composer (same findings, no model)": [section_text(compose_report(case.findings)) for case in cases],
        "constant normal": [constant_normal(protocol, composed)] * len(cases),
        "most frequent template": [commonest(composed)] * len(cases),
        "nearest neighbour (regions)": nearest_neighbours(cases, training),
    }


def table_of(
    candidates: Mapping[str, Sequence[str]], references: Sequence[Sequence[str]], patients: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Return candidate -> CIDEr, its interval, the writer's lead with its interval, and variety."""
    scores = {name: cider_of(texts, references) for name, texts in candidates.items()}
    first = scores[next(iter(scores))]
    table = {}
    for name, values in scores.items():
        own = bootstrap_by_patient(patients, lambda rows, values=values: float(values[rows].mean()))
        lead = bootstrap_by_patient(patients, lambda rows, values=values: float((first - values)[rows].mean()))
        texts = candidates[name]
        table[name] = {
            "cider": own.value, "low": own.low, "high": own.high,
            "lead": lead.value, "lead_low": lead.low, "lead_high": lead.high,
            "unique": len(set(texts)) / len(texts), "against_others": cider_against_others(texts),
        }  # fmt: skip
    return table


def main() -> None:
    """Score all candidates and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regions", type=Path, default=Path("runs/vlm/regions.npz"))
    parser.add_argument("--weights-root", type=Path)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--patients", type=int, help="the first so many only; all when left out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cache = region_cache(options.regions)
    cases = spider_cases(cache, options.fold)[: options.patients]
    training = spider_cases(cache, options.fold, held_out=False)
    drafter = Drafter.load(weights_root=options.weights_root, device="cpu")
    references = [references_of(case) for case in cases]
    table = table_of(candidates_of(cases, training, drafter), references, [case.patient for case in cases])
    own = cider_against_others([texts[-1] for texts in references])
    print(f"{len(cases)} held-out patients, five references each; published figure {PUBLISHED}.")
    print(f"CIDEr of the references against those of other patients: {own:.2f}.\n")
    print("| candidate | CIDEr | lead of the writer | distinct reports | CIDEr against other patients |")
    print("|---|---|---|---|---|")
    for name, row in table.items():
        value = f"{row['cider']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        lead = f"{row['lead']:+.3f} ({row['lead_low']:+.3f} to {row['lead_high']:+.3f})"
        print(f"| {name} | {value} | {lead} | {row['unique']:.2f} | {row['against_others']:.2f} |")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"patients": len(cases), "rows": table}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
