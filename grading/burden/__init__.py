"""Patient-level burden: the Clinically Significant Degeneration Score, defined in ``docs/burden.md``. No torch."""

from grading.burden.formula import BurdenFormula, load_formula
from grading.burden.measure import measure_burden

__all__ = ["BurdenFormula", "load_formula", "measure_burden"]
