"""The metric ``meteor`` for ``evaluate.load``."""

from evaluation.text.modules import base


class SpineMeteor(base.TextModule):
    """``meteor`` of report texts."""

    metric = "meteor"
