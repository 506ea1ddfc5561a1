"""The report task of ``spinescribe evaluate``: two sources of texts, the offline metrics and the facts."""

import math
from pathlib import Path
from typing import Any

from evaluation.text.files import read_pairs
from evaluation.text.registry import OFFLINE, open_metric


def evaluate_report(predictions: Path, references: Path) -> dict[str, Any]:
    """Score reports against references; what a source may be: ``evaluation.text.files``.

    Raises:
        StudyError: If files, columns or ids do not match, or a text is empty.
    """
    told, truth = read_pairs(predictions, references)
    given = [[text] for text in truth.values()]
    per_report: list[dict[str, Any]] = [{"id": key} for key in truth]
    figures: dict[str, float | None] = {}
    for name in (*OFFLINE, "spinefact"):
        scores = open_metric(name).score(list(told.values()), given)
        figures |= {key: _known(value) for key, value in scores.corpus.items()}
        for place, row in enumerate(per_report):
            row.update({key: _known(float(values[place])) for key, values in scores.per_report.items()})
    return {"reports": len(truth), **figures, "per_report": per_report}


def _known(value: float) -> float | None:
    """Return a figure for JSON: None where it is not defined."""
    return None if math.isnan(value) else value
