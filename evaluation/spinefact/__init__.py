"""SpineFact: what two reports state, compared fact by fact; docs/spinefact.md is its specification.

``SpineFact().score(predictions, references)`` gives figures, ``compare_texts`` lists what differs, ``read_report``
tells what one text states and which of its sentences were not read.
"""

from evaluation.spinefact.compare import Comparison, Outcome, Pair, compare_reports
from evaluation.spinefact.metric import SpineFact, best_comparison, compare_texts
from evaluation.spinefact.reading import ReadReport, Statements, read_report

__all__ = [
    "Comparison",
    "Outcome",
    "Pair",
    "ReadReport",
    "SpineFact",
    "Statements",
    "best_comparison",
    "compare_reports",
    "compare_texts",
    "read_report",
]
