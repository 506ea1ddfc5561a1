"""The metric ``cider_d`` for ``evaluate.load``."""

from evaluation.text.modules import base


class SpineCiderD(base.TextModule):
    """``cider_d`` of report texts."""

    metric = "cider_d"
