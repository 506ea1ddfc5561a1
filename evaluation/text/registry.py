"""The text metrics by name; a metric's module loads when it is opened, so a missing part stops only its own."""

from collections.abc import Mapping, Sequence
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from evaluation.text.base import MetricUnavailable, TextMetric
from runtime.errors import ConfigError

METRICS: Mapping[str, str] = {
    "bleu": "evaluation.text.bleu:Bleu",
    "rouge_l": "evaluation.text.rouge:RougeL",
    "cider": "evaluation.text.cider:Cider",
    "cider_d": "evaluation.text.cider:CiderD",
    "cider_plain": "evaluation.text.cider:CiderPlain",
    "meteor": "evaluation.text.meteor:Meteor",
    "spice": "evaluation.text.spice:Spice",
    "spinefact": "evaluation.spinefact.metric:SpineFact",
}
"""Name -> module and class."""
OFFLINE = ("bleu", "rouge_l", "cider")
"""Metrics that need nothing but this package."""


def open_metric(name: str) -> TextMetric:
    """Return a metric that is ready to score.

    Raises:
        ConfigError: If there is no metric of this name.
        MetricUnavailable: If something it needs is missing; the message says what to install.
    """
    if name not in METRICS:
        raise ConfigError(f"metric: expected one of {', '.join(METRICS)}; got {name!r}")
    module, _, kind = METRICS[name].partition(":")
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        raise MetricUnavailable(f"{name}: needs the Python module {error.name}, found none; install it") from error
    metric: TextMetric = getattr(found, kind)()
    return metric


def compute(
    *,
    predictions: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    metrics: Sequence[str] = OFFLINE,
) -> dict[str, float | dict[str, NDArray[np.float64]]]:
    """Score texts in one call, with the signature of ``evaluate``'s ``compute``.

    Args:
        predictions: One text a report.
        references: One text, or a list of texts, for each.
        metrics: Names of ``METRICS``.

    Returns:
        The corpus figures by name (``bleu_1``, ``cider``, ...), and under ``per_report`` those of each report.

    Raises:
        ConfigError: If there is no such metric.
        MetricUnavailable: If a metric cannot run here.
        StudyError: If predictions and references do not fit each other.
    """
    given = as_lists(references)
    figures: dict[str, float | dict[str, NDArray[np.float64]]] = {}
    per_report: dict[str, NDArray[np.float64]] = {}
    for name in metrics:
        scores = open_metric(name).score(predictions, given)
        figures.update(scores.corpus)
        per_report.update(scores.per_report)
    return {**figures, "per_report": per_report}


def as_lists(references: Sequence[str] | Sequence[Sequence[str]]) -> list[list[str]]:
    """Return references as a list of texts a report; a bare text is its report's only one."""
    return [[texts] if isinstance(texts, str) else list(texts) for texts in references]
