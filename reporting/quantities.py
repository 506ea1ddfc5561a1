"""Measured quantities in words, the same in every report: title, unit, percentile."""

from __future__ import annotations

from segmentation.measure import load_quantities
from segmentation.types import Measurement

_SCORES = {"sparcc_inflammation": "SPARCC-like inflammation score"}
"""What networks count; nothing in ``quantities.yaml`` measures it."""

_UNITS = {"mm2": "mm²", "deg": "°", "1": ""}


def quantity_words(name: str) -> str:
    """Return a quantity of a reading in plain words, such as ``canal AP diameter``."""
    known = load_quantities().get(name)
    return _SCORES.get(name, name.replace("_", " ")) if known is None else known.title


def number_words(item: Measurement) -> str:
    """Return a measured value without its unit: ratios with two decimals, scores with none, all else with one.

    Args:
        item: A measurement that has a value.
    """
    assert item.value is not None
    digits = 0 if item.name in _SCORES else 2 if item.unit == "1" else 1
    return f"{round(item.value, digits) + 0.0:.{digits}f}"  # adding 0.0 turns -0.0 into 0.0


def unit_words(unit: str) -> str:
    """Return a unit of a reading as it is printed; nothing for a ratio or a count."""
    return _UNITS.get(unit, unit)


def percentile_words(percentile: float) -> str:
    """Return a percentile as a whole number; there is neither a 0th nor a 100th."""
    rounded = round(percentile)
    return "<1" if rounded < 1 else ">99" if rounded > 99 else str(rounded)
