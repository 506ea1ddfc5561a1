"""Scores of masks, grades and report text, with intervals by patient; offline, without Java."""

from evaluation.bootstrap import Interval, bootstrap_by_patient

__all__ = ["Interval", "bootstrap_by_patient"]
