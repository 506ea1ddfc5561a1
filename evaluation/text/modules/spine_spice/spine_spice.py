"""The metric ``spice`` for ``evaluate.load``."""

from evaluation.text.modules import base


class SpineSpice(base.TextModule):
    """``spice`` of report texts."""

    metric = "spice"
