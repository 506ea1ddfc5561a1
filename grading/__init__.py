"""Room 3: regions and measurements become ordinal grades and the Findings graph.

``load_grader(name=...).grade(study, segmented, protocol)`` is the verb; ``train`` makes the weights. Records
live in ``grading.types``. Importing this package loads no torch; asking for ``Grader`` or ``train`` does.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from grading.burden import measure_burden
from grading.findings import build_findings
from grading.triage import triage_alert
from grading.types import Burden, BurdenTerm, Detection, Evidence, Findings, Grade, GradeStatus
from grading.ungraded import NoGrader

if TYPE_CHECKING:
    from grading.joints.predict import JointGrader
    from grading.load import load_grader
    from grading.predict import Grader
    from grading.training.train import train

__all__ = [
    "Burden",
    "BurdenTerm",
    "Detection",
    "Evidence",
    "Findings",
    "Grade",
    "GradeStatus",
    "Grader",
    "JointGrader",
    "NoGrader",
    "build_findings",
    "load_grader",
    "measure_burden",
    "train",
    "triage_alert",
]

_LAZY = {
    "Grader": "grading.predict",
    "JointGrader": "grading.joints.predict",
    "load_grader": "grading.load",
    "train": "grading.training.train",
}


def __getattr__(name: str) -> object:
    """Load what needs torch only when it is asked for."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
