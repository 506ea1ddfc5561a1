"""What agreement of sampled drafts tells of a sentence, and where the floor lies.

    python -m benchmarks.writer.consistency [--regions runs/vlm/regions.npz]

Held-out SPIDER patients. A sentence is wrong when the verifier would
have to repair it. Prints the agreement of right and wrong sentences, the AUC of "wrong" by low agreement, and for
each floor the share of wrong sentences below it and of right ones (marked in vain), with 95 % bootstrap intervals
by patient. Writes ``runs/benchmarks/writer_consistency.json``.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anatomy import load_protocol
from benchmarks.writer.cases import Case, spider_cases
from benchmarks.writer.channels import region_cache
from evaluation.bootstrap import bootstrap_by_patient
from evaluation.grading import area_under_curve
from reporting import Checker
from reporting.types import VerdictStatus
from reporting.verifier import check_drafted
from vlm import Drafter

OUT = Path("runs/benchmarks/writer_consistency.json")
FLOORS = (0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Rated:
    """A drafted sentence.

    Attributes:
        patient: Whose study it is of.
        consistency: Agreement with the sampled drafts.
        is_wrong: Whether the verifier would repair it.
    """

    patient: int
    consistency: float
    is_wrong: bool


def rate(cases: Sequence[Case], drafter: Drafter) -> list[Rated]:
    """Draft each study with its agreement and look at every sentence of the model."""
    protocol, rated = load_protocol("lumbar"), []
    for case in cases:
        checker = Checker(case.findings)
        draft = drafter.write_draft(case.findings, case.regions, protocol, rates_consistency=True)
        for section in draft.sections:
            levels: tuple[str, ...] = ()
            for item in section.sentences:
                verdict = check_drafted(item, levels, checker)
                levels = verdict.levels
                if item.consistency is not None:
                    is_wrong = verdict.status is not VerdictStatus.SUPPORTED
                    rated.append(Rated(case.patient, item.consistency, is_wrong))
    return rated


def main() -> None:
    """Rate all patients, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regions", type=Path, default=Path("runs/vlm/regions.npz"))
    parser.add_argument("--weights-root", type=Path)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--patients", type=int, default=None, help="the first so many only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    drafter = Drafter.load(weights_root=options.weights_root, device="cpu")
    rated = rate(spider_cases(region_cache(options.regions), options.fold)[: options.patients], drafter)
    patients = [item.patient for item in rated]
    scores = np.array([item.consistency for item in rated])
    wrong = np.array([item.is_wrong for item in rated])

    def auc(rows: NDArray[np.intp]) -> float:
        return area_under_curve(wrong[rows].astype(np.int64), -scores[rows])

    figures: dict[str, object] = {
        "sentences": len(rated),
        "wrong": int(wrong.sum()),
        "patients": len(set(patients)),
    }
    print(f"{len(rated)} sentences of {len(set(patients))} patients, {wrong.sum()} wrong")
    if wrong.any():
        interval = bootstrap_by_patient(patients, auc)
        figures["auc"] = [interval.value, interval.low, interval.high]
        print(f"AUC of wrong by low agreement: {interval}\n")
    print("| floor | wrong sentences below | right sentences below |")
    print("|---|---|---|")
    for floor in FLOORS:
        shares = [float((scores[mask] < floor).mean()) if mask.any() else None for mask in (wrong, ~wrong)]
        figures[f"below {floor}"] = shares
        print(f"| {floor} | {' | '.join('-' if share is None else f'{share:.3f}' for share in shares)} |")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
