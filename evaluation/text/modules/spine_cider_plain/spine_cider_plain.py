"""The metric ``cider_plain`` for ``evaluate.load``."""

from evaluation.text.modules import base


class SpineCiderPlain(base.TextModule):
    """``cider_plain`` of report texts."""

    metric = "cider_plain"
