"""The metric ``spinefact`` for ``evaluate.load``."""

from evaluation.text.modules import base


class SpineFact(base.TextModule):
    """``spinefact`` of report texts."""

    metric = "spinefact"
