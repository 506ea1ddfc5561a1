"""Scores of masks, grades, boxes and report text, with intervals by patient; offline, without Java.

``evaluate(task, predictions, references)`` is the door to all of them; docs/evaluation.md tells what it reads.
"""

from evaluation.bootstrap import Interval, bootstrap_by_patient
from evaluation.options import EvaluationOptions
from evaluation.result import Evaluation
from evaluation.run import EvaluationRun, evaluate

__all__ = ["Evaluation", "EvaluationOptions", "EvaluationRun", "Interval", "bootstrap_by_patient", "evaluate"]
