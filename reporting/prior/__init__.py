"""An earlier reading of the same patient: what changed, in a table and in sentences. Without torch.

``prior_findings`` reads the earlier reading.json, ``compare_with_prior`` makes the change table,
``compose_comparison`` writes its sentences. Of the earlier reading only ids, steps and values are used: none of
its free text, no date and no key reaches the new report.
"""

from reporting.prior.build import compare_with_prior
from reporting.prior.source import prior_findings
from reporting.prior.types import Change, Comparison, GradeChange, ValueChange
from reporting.prior.wording import compose_comparison

__all__ = [
    "Change",
    "Comparison",
    "GradeChange",
    "ValueChange",
    "compare_with_prior",
    "compose_comparison",
    "prior_findings",
]
