"""Saliency: where the pictures that a grade rests on spoke for it, as heat on the original slices.

``explain_grade(grader, study, segmented, findings, grade_id)`` is the verb; records live in
``grading.saliency.types``. Importing this package loads no torch; asking for ``explain_grade`` does.

A map shows what moved one number of the network, on a grid of a few cells a crop. It is no outline of a lesion and
no proof that the grade is right; ``python -m benchmarks.saliency`` and ``python -m benchmarks.saliency_joints``
report whether maps hang on what was learnt.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from grading.saliency.types import Saliency, SaliencyMethod

if TYPE_CHECKING:
    from grading.saliency.explain import explain_grade

__all__ = ["Saliency", "SaliencyMethod", "explain_grade"]


def __getattr__(name: str) -> object:
    """Load what needs torch only when it is asked for."""
    if name == "explain_grade":
        return getattr(import_module("grading.saliency.explain"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
