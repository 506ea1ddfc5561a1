"""What a training run leaves behind to be looked at: plots, tables and ``report.md``, from plain arrays."""

from grading.training.report.write import write_report

__all__ = ["write_report"]
