"""The report task of ``spinescribe evaluate``: two sources of texts, the offline metrics and the facts."""

from pathlib import Path
from typing import Any

from evaluation.text.facts import score_facts
from evaluation.text.files import read_pairs
from evaluation.text.registry import OFFLINE, open_metric
from reporting import parse_report


def evaluate_report(predictions: Path, references: Path) -> dict[str, Any]:
    """Score reports against references; what a source may be: ``evaluation.text.files``.

    Raises:
        StudyError: If files, columns or ids do not match, or a text is empty.
    """
    told, truth = read_pairs(predictions, references)
    per_report = []
    for key in truth:
        score = score_facts(parse_report(told[key]), parse_report(truth[key]))
        per_report.append({"id": key, "precision": score.precision, "recall": score.recall, "f1": score.f1})
    mean = sum(row["f1"] for row in per_report) / len(per_report)  # type: ignore[misc]
    given = [[text] for text in truth.values()]
    figures: dict[str, float] = {}
    for name in OFFLINE:
        scores = open_metric(name).score(list(told.values()), given)
        figures.update(scores.corpus)
        for row, place in zip(per_report, range(len(per_report)), strict=True):
            row.update({key: float(values[place]) for key, values in scores.per_report.items()})
    return {"reports": len(truth), **figures, "spinefact_f1": mean, "per_report": per_report}
