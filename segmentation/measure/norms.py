"""Place of a measurement in a published norm (``norms.csv``): a normal distribution by level."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import NormalDist


@dataclass(frozen=True)
class Norm:
    """One row of the table.

    Attributes:
        mean: In ``unit``.
        sd: Standard deviation, in ``unit``.
        unit: Such as ``mm``.
        population: Who was measured.
        source: Publication and how the row was read from it.
    """

    mean: float
    sd: float
    unit: str
    population: str
    source: str


@cache
def norms() -> dict[tuple[str, str], Norm]:
    """Return (measurement, level) -> norm."""
    with (Path(__file__).parent / "norms.csv").open(encoding="utf-8", newline="") as stream:
        return {
            (row["measurement"], row["level"]): Norm(
                float(row["mean"]), float(row["sd"]), row["unit"], row["population"], row["source"]
            )
            for row in csv.DictReader(stream)
        }


def percentile(measurement: str, level: str, value: float, unit: str) -> float | None:
    """Return the place of a value in its norm, 0 to 100; None where no norm applies."""
    norm = norms().get((measurement, level))
    if norm is None or norm.unit != unit:
        return None
    return 100.0 * NormalDist(norm.mean, norm.sd).cdf(value)
