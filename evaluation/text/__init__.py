"""Scores of report texts: BLEU, ROUGE-L, CIDEr, METEOR, SPICE; offline, the first three without Java.

``compute`` scores lists of texts in one call; ``open_metric`` gives one metric, with scores of each report and of
any choice of reports; ``read_texts`` reads files and folders. Loads without torch.
"""

from evaluation.text.base import MetricUnavailable, TextMetric, TextScores
from evaluation.text.files import read_pairs, read_texts
from evaluation.text.registry import METRICS, OFFLINE, compute, open_metric

__all__ = [
    "METRICS",
    "OFFLINE",
    "MetricUnavailable",
    "TextMetric",
    "TextScores",
    "compute",
    "open_metric",
    "read_pairs",
    "read_texts",
]
