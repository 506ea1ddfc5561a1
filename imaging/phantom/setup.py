"""How a phantom is scanned, and how its population departs from the norms (``configs/phantom/setup_*.yaml``).

A setup is data: the series with their timing, field strength, noise and coil, and changes to the region's tables.
``test_*.yaml`` beside them are frozen, with their seeds: the named test sets of the project.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from imaging.phantom.tables import phantom_file, read_yaml
from runtime.errors import ConfigError


@dataclass(frozen=True)
class SeriesRow:
    """How a series is taken; mm, ms and degrees. ``slices`` 0 means as many as cover what is reported.

    ``ti`` is the inversion time; 0 means no inversion.
    """

    role: str
    number: int
    description: str
    sequence: str
    plane: str
    rows: int
    cols: int
    pixel: float
    slices: int
    spacing: float
    thickness: float
    tr: float
    te: float
    flip: float
    turbo: int
    ti: float = 0.0


@dataclass(frozen=True)
class Setup:
    """A scanner and a population.

    Attributes:
        name: Of its file.
        protocol: Body region.
        series: In the order they are taken.
        field_strength_t: Tesla.
        noise_share: Standard deviation of the noise of each channel, a share of the brightest tissue.
        coil_depth_mm: How fast the surface coil loses what lies deep.
        anatomy: Changes to the tables of the region (``configs/phantom/<protocol>.yaml``), by nested key.
    """

    name: str
    protocol: str
    series: tuple[SeriesRow, ...]
    field_strength_t: float
    noise_share: float
    coil_depth_mm: float
    anatomy: Mapping[str, Any] = field(default_factory=dict)


@cache
def load_setup(name: str) -> Setup:
    """Read a setup by name, such as ``setup_lumbar``.

    Raises:
        ConfigError: If there is none of this name, or it has unknown or missing keys.
    """
    file = phantom_file(name)
    if not file.is_file() or not name.startswith(("setup_", "test_")):
        known = sorted(item.stem for kind in ("setup_", "test_") for item in file.parent.glob(f"{kind}*.yaml"))
        raise ConfigError(f"phantom setup: expected one of {', '.join(known)}, got {name!r}")
    rows = read_yaml(file)
    try:
        series = tuple(SeriesRow(**row) for row in rows.pop("series"))
        return Setup(name=name, series=series, **rows)
    except (TypeError, KeyError) as error:
        raise ConfigError(f"{file.name}: unknown or missing keys: {error}") from error
