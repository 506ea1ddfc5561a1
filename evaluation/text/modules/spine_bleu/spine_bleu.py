"""The metric ``bleu`` for ``evaluate.load``."""

from evaluation.text.modules import base


class SpineBleu(base.TextModule):
    """``bleu`` of report texts."""

    metric = "bleu"
