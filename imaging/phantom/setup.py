"""How a phantom is scanned, and how its population departs from the norms (``configs/phantom/setup_*.yaml``).

A setup is data: the series with their timing, the scanner and its faults, and changes to the region's tables.
``test_*.yaml`` beside them are frozen, with their seeds: the named test sets of the project.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from imaging.phantom.tables import phantom_file, read_yaml
from runtime.errors import ConfigError

CONTRASTS = ("physics", "random")
PROFILES = ("gaussian", "box")


@dataclass(frozen=True)
class SeriesRow:
    """How a series is taken; mm, ms and degrees.

    Attributes:
        role: Role name of the protocol.
        number: Series number.
        description: Series description.
        sequence: ``t1``, ``t2`` or ``stir``.
        plane: ``sagittal``, ``axial`` or ``coronal``.
        rows: Rows of a slice.
        cols: Columns of a slice.
        pixel: Width and height of a pixel, mm.
        slices: How many; 0 means as many as cover what is reported.
        spacing: Between the middles of neighbouring slices, mm.
        thickness: Of a slice, full width at half maximum, mm.
        tr: Repetition time, ms.
        te: Effective echo time, ms.
        flip: Angle of the refocusing pulses, degrees.
        turbo: Echoes in a train; 1 is plain spin echo.
        ti: Inversion time, ms; 0 means no inversion.
        bandwidth: Receiver bandwidth of a pixel, Hz; 0 leaves the chemical shift away.
        phase: Voxel axis of phase encoding, ``i`` (along a row) or ``j`` (down a column); the other one is read.
        echo_spacing: Between the echoes of a train, ms; 0 leaves the blur of the train away.
        blur: Standard deviation of the in-plane point spread (filters, display), pixels.
        acquired: Share of the phase-encoding steps that were measured; below 1 edges ring (Gibbs).
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
    bandwidth: float = 0.0
    phase: str = "j"
    echo_spacing: float = 0.0
    blur: float = 0.55
    acquired: float = 1.0

    def __post_init__(self) -> None:
        if self.phase not in ("i", "j"):
            raise ConfigError(f"phantom series {self.role}: phase: expected 'i' or 'j', got {self.phase!r}")
        if not 0.25 <= self.acquired <= 1.0:
            raise ConfigError(f"phantom series {self.role}: acquired: expected 0.25 to 1, got {self.acquired!r}")


@dataclass(frozen=True)
class Artefacts:
    """Faults of a measurement; 0 leaves each away.

    Attributes:
        motion_mm: Standard deviation of the patient's place in the plane while lines are measured, mm.
        breathing: Signal of the ghosts of the moving front of the body, a share of its signal.
        flow: Share of the CSF's signal that pulsation sends elsewhere along phase encoding.
    """

    motion_mm: float = 0.0
    breathing: float = 0.0
    flow: float = 0.0


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
        coil_near: How much brighter the skin beside the coil is; 0 is a scanner that evens it out.
        anatomy: Changes to the tables of the region (``configs/phantom/<protocol>.yaml``), by nested key.
        contrast: ``physics`` (signal equations) or ``random`` (any contrast, for training).
        slice_profile: ``gaussian`` or ``box``.
        tissue_spread: Standard deviation of the logarithm of T1, T2 and PD between patients.
        artefacts: Faults of the measurement.
        seeds: Of a frozen test set: ``first`` and ``count``.
    """

    name: str
    protocol: str
    series: tuple[SeriesRow, ...]
    field_strength_t: float
    noise_share: float
    coil_depth_mm: float
    coil_near: float = 0.0
    anatomy: Mapping[str, Any] = field(default_factory=dict)
    contrast: str = "physics"
    slice_profile: str = "gaussian"
    tissue_spread: float = 0.0
    artefacts: Artefacts = Artefacts()
    seeds: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, value, allowed in (
            ("contrast", self.contrast, CONTRASTS),
            ("slice_profile", self.slice_profile, PROFILES),
        ):
            if value not in allowed:
                raise ConfigError(f"{self.name}: {key}: expected one of {', '.join(allowed)}, got {value!r}")


def setup_names(protocol: str | None = None) -> tuple[str, ...]:
    """Return the names of all setups, or of those of a protocol."""
    folder = phantom_file("x").parent
    names = sorted(file.stem for kind in ("setup_", "test_") for file in folder.glob(f"{kind}*.yaml"))
    if protocol is None:
        return tuple(names)
    return tuple(name for name in names if load_setup(name).protocol == protocol)


@cache
def load_setup(name: str) -> Setup:
    """Read a setup by name, such as ``setup_lumbar``.

    Raises:
        ConfigError: If there is none of this name, or it has unknown or missing keys.
    """
    if name not in setup_names():
        raise ConfigError(f"phantom setup: expected one of {', '.join(setup_names())}, got {name!r}")
    file = phantom_file(name)
    rows = read_yaml(file)
    try:
        series = tuple(SeriesRow(**row) for row in rows.pop("series"))
        artefacts = Artefacts(**rows.pop("artefacts", {}))
        return Setup(name=name, series=series, artefacts=artefacts, **rows)
    except (TypeError, KeyError) as error:
        raise ConfigError(f"{file.name}: unknown or missing keys: {error}") from error
