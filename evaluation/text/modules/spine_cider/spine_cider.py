"""The metric ``cider`` for ``evaluate.load``."""

from evaluation.text.modules import base


class SpineCider(base.TextModule):
    """``cider`` of report texts."""

    metric = "cider"
