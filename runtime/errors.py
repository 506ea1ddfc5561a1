"""Typed errors, one small tree; each carries the exit code that the command line returns for it.

A message names what was read (never a patient's name), what was expected, what came and what to do.
"""


class SpineScribeError(Exception):
    """Base of every error this project raises on purpose; alone it means a fault of ours."""

    exit_code: int = 1


class StudyError(SpineScribeError, ValueError):
    """The input cannot be read as a spine study (exit code 2).

    Args:
        reason: One sentence for the reader.
        code: Short machine-readable reason, where there is one, such as ``limit_voxels``.
    """

    exit_code = 2

    def __init__(self, reason: str = "", *, code: str | None = None) -> None:
        super().__init__(reason)
        self.code = code


class LimitError(StudyError):
    """The input passes one of the limits of ``imaging.limits``; the code is ``limit_`` and the limit's name."""


class NotEligibleError(SpineScribeError, ValueError):
    """The input was read, but a report on it would not be trustworthy (exit code 3).

    Args:
        reason: One sentence for the reader.
        code: Short machine-readable reason, such as ``no_spine_found``.
    """

    exit_code = 3

    def __init__(self, reason: str, *, code: str = "not_eligible") -> None:
        super().__init__(reason)
        self.code = code


class ConfigError(SpineScribeError, ValueError):
    """A configuration file or option is wrong (exit code 2)."""

    exit_code = 2


class WeightsError(SpineScribeError, RuntimeError):
    """Weights are missing, or differ from their recorded checksum."""


class ReportError(SpineScribeError, ValueError):
    """A report or draft breaks its own contract."""


class WriterError(SpineScribeError, RuntimeError):
    """A report writer could not write; the report is then composed by rule, and the reader is told why.

    Args:
        reason: One clause for the reader; no key, no address, nothing of the study.
        code: Machine-readable, such as ``timeout``.
    """

    def __init__(self, reason: str, *, code: str) -> None:
        super().__init__(reason)
        self.code = code
