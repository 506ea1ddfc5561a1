"""What the modules for ``evaluate`` share: features, and scoring by the metric of a name."""

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from evaluation.text.registry import METRICS, as_lists, open_metric

_INPUTS = """
Args:
    predictions: one report text each.
    references: one report text each, or a list of them.
    per_report: also return the scores of each report, under the key "per_report".
Returns:
    the corpus figures by name.
"""


class TextModule(evaluate.Metric):  # type: ignore[misc]
    """A metric of ``evaluation.text`` behind ``evaluate``'s interface; a module names its metric."""

    metric = ""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=f"{self.metric} of report texts, by {METRICS.get(self.metric, 'evaluation.text')}.",
            citation="",
            inputs_description=_INPUTS,
            features=[
                datasets.Features({"predictions": text, "references": datasets.List(text)}),
                datasets.Features({"predictions": text, "references": text}),
            ],
        )

    def _compute(
        self,
        predictions: Sequence[str],
        references: Sequence[str] | Sequence[Sequence[str]],
        per_report: bool = False,
    ) -> dict[str, Any]:
        scores = open_metric(self.metric).score(predictions, as_lists(references))
        figures: dict[str, Any] = dict(scores.corpus)
        if per_report:
            figures["per_report"] = {name: values.tolist() for name, values in scores.per_report.items()}
        return figures
