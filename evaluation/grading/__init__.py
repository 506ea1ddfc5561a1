"""Agreement of grades, calibration of their probabilities, coverage of their prediction sets."""

from evaluation.grading.agreement import interval_of, macro_f1, quadratic_kappa
from evaluation.grading.auc import area_under_curve

__all__ = ["area_under_curve", "interval_of", "macro_f1", "quadratic_kappa"]
