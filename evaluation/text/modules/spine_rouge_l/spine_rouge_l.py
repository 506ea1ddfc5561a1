"""The metric ``rouge_l`` for ``evaluate.load``."""

from evaluation.text.modules import base


class SpineRougeL(base.TextModule):
    """``rouge_l`` of report texts."""

    metric = "rouge_l"
