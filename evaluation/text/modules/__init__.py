"""The text metrics as local modules of Hugging Face's ``evaluate``, one folder each.

``evaluate.load(module_path("bleu"))`` works offline; modules combine with ``evaluate.combine``. Where torch has no
GPU support, importing ``evaluate`` fails over torchvision; ``load_module`` mends that first.
"""

from pathlib import Path
from typing import Any

from evaluation.text.registry import METRICS
from runtime.errors import ConfigError
from runtime.torchvision_cpu import allow_torchvision_on_cpu


def module_path(metric: str) -> str:
    """Return what ``evaluate.load`` takes for a metric of ``evaluation.text.METRICS``.

    Raises:
        ConfigError: If there is no module of this metric.
    """
    name = "spine_fact" if metric == "spinefact" else f"spine_{metric}"
    folder = Path(__file__).parent / name
    if metric not in METRICS or not folder.is_dir():
        raise ConfigError(f"metric: expected one of {', '.join(METRICS)}; got {metric!r}")
    return str(folder)


def load_module(metric: str) -> Any:
    """Return the ``evaluate.EvaluationModule`` of a metric of ``evaluation.text.METRICS``.

    Raises:
        ConfigError: If there is no module of this metric.
    """
    path = module_path(metric)
    allow_torchvision_on_cpu()
    import evaluate

    return evaluate.load(path)
