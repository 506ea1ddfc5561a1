"""What every stage needs and that knows no medicine: errors, progress, provenance, weights, settings."""

from runtime.errors import (
    ConfigError,
    NotEligibleError,
    ReportError,
    SpineScribeError,
    StudyError,
    WeightsError,
)
from runtime.progress import Progress

__all__ = [
    "ConfigError",
    "NotEligibleError",
    "Progress",
    "ReportError",
    "SpineScribeError",
    "StudyError",
    "WeightsError",
]
