"""What a body region's images must be like to be read: the ``eligibility:`` block of a protocol.

Each limit has two values: past ``marginal`` the reader is warned, past ``refuse`` the study is refused. The values
and where they come from stand in ``configs/protocols/*.yaml``; ``imaging.eligibility`` applies them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Limit:
    """Two bounds of one quantity.

    Attributes:
        marginal: Past it a warning is given.
        refuse: Past it the series is refused.
        is_least: True when small values are bad, False when large ones are.
    """

    marginal: float
    refuse: float
    is_least: bool

    def refuses(self, value: float) -> bool:
        """Return whether a value is past ``refuse``; the bound itself still passes."""
        return value < self.refuse if self.is_least else value > self.refuse

    def is_marginal(self, value: float) -> bool:
        """Return whether a value is past ``marginal``."""
        return value < self.marginal if self.is_least else value > self.marginal


@dataclass(frozen=True)
class EligibilityRules:
    """The gate's bounds for one protocol.

    Attributes:
        min_side_px: Fewest pixels on either side of a slice.
        min_grey_levels: Fewest different values in a slice.
        along_mm: Least field of view from head to foot (rows) that is not empty.
        across_mm: Least field of view across (columns) that is not empty.
        slices: Fewest slices of a volume; a picture has one.
        pixel_mm: Largest distance of neighbouring pixels.
        slice_distance_mm: Largest distance of neighbouring slices.
        structure: Least ``ImageQuality.structure``.
        sparsity: Least ``ImageQuality.sparsity``.
        sharpness: Least ``ImageQuality.sharpness``.
        noise: Largest ``ImageQuality.noise``.
        ghosting: Largest ``ImageQuality.ghosting``.
        saturation: Largest ``ImageQuality.saturation``.
        void: Largest ``ImageQuality.void``.
        allows_contrast_only: Whether a study is read of which every usable series is after contrast medium.
    """

    min_side_px: int
    min_grey_levels: int
    along_mm: Limit
    across_mm: Limit
    slices: Limit
    pixel_mm: Limit
    slice_distance_mm: Limit
    structure: Limit
    sparsity: Limit
    sharpness: Limit
    noise: Limit
    ghosting: Limit
    saturation: Limit
    void: Limit
    allows_contrast_only: bool


_LEAST = {"along_mm", "across_mm", "slices", "structure", "sparsity", "sharpness"}
_COUNTS = {"min_side_px", "min_grey_levels"}


def parse_eligibility(table: Mapping[str, Any]) -> EligibilityRules:
    """Read the block of a protocol.

    Args:
        table: Parsed YAML; a limit is a mapping of ``marginal`` and ``refuse``.

    Raises:
        ValueError: If a key is unknown or missing, or a value is not of its kind, naming the key.
    """
    names = {item.name for item in fields(EligibilityRules)}
    if not isinstance(table, Mapping) or set(table) != names:
        odd = sorted(set(table) ^ names) if isinstance(table, Mapping) else [repr(table)]
        raise ValueError(f"eligibility: unknown or missing keys: {', '.join(map(str, odd))}")
    return EligibilityRules(**{name: _value(name, table[name]) for name in names})


def _value(name: str, value: Any) -> Any:
    if name == "allows_contrast_only":
        if not isinstance(value, bool):
            raise ValueError(f"eligibility: {name}: expected true or false, got {value!r}")
        return value
    if name in _COUNTS:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"eligibility: {name}: expected a count of at least 1, got {value!r}")
        return value
    return _limit(name, value)


def _limit(name: str, value: Any) -> Limit:
    is_pair = isinstance(value, Mapping) and set(value) == {"marginal", "refuse"}
    if not is_pair or not all(isinstance(item, int | float) and item >= 0 for item in value.values()):
        raise ValueError(f"eligibility: {name}: expected marginal and refuse, two numbers, got {value!r}")
    limit = Limit(float(value["marginal"]), float(value["refuse"]), name in _LEAST)
    if limit.refuses(limit.marginal):
        raise ValueError(f"eligibility: {name}: what is marginal must not be refused, got {value!r}")
    return limit
