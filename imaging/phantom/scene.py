"""What a body region supplies to become a phantom: a scene. Everything after it is the same for all regions.

A region is a folder beside this file with ``scene.py`` and in it ``build_scene(setup, *, seed, palette)``: it
draws a plan from its tables, stacks it into shapes, and adds the tissues it needs to the palette.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from imaging.phantom.canvas import Canvas
from imaging.phantom.grid import Coordinates
from imaging.phantom.setup import SeriesRow, Setup
from imaging.phantom.tissues import Palette
from imaging.phantom.types import TruthBox, TruthGrade, TruthLevel, TruthMeasurement
from imaging.types import AffineMatrix
from runtime.errors import ConfigError

_REGIONS = ("lumbar", "cervical", "sacroiliac")


@dataclass(frozen=True)
class Truth:
    """Levels, measurements, grades, boxes and further details of a phantom; see ``types.Phantom``."""

    levels: tuple[TruthLevel, ...]
    measurements: tuple[TruthMeasurement, ...]
    grades: tuple[TruthGrade, ...]
    boxes: tuple[TruthBox, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Coil:
    """A surface coil behind the body.

    Attributes:
        back: World z -> world y of the coil's plane, RAS+ mm, of arrays that broadcast.
        middle_z: Height of its middle, mm.
        reach_mm: How far it reaches to head and foot.
    """

    back: Callable[[Coordinates], Coordinates]
    middle_z: float
    reach_mm: float


class Scene(Protocol):
    """A placed patient, ready to be painted on any grid.

    ``measure`` looks at the finished geometry only, never at what the plan asked for.
    """

    @property
    def version(self) -> str:
        """Version of the region's tables, such as ``lumbar-phantom/1``."""

    @property
    def sex(self) -> str:
        """Return ``F`` or ``M``."""

    @property
    def age_years(self) -> int:
        """Whole years."""

    def paint(self, canvas: Canvas) -> None:
        """Paint tissues and labels of everything; later paint covers earlier paint."""

    def grid(self, row: SeriesRow) -> tuple[AffineMatrix, tuple[int, int, int]]:
        """Return affine (voxel -> RAS+ mm) and (columns, rows, slices) of a series."""

    def coil(self) -> Coil:
        """Return where the coil lies."""

    def measure(self) -> Truth:
        """Return the truth of every reported level."""


def build_scene(setup: Setup, *, seed: int, palette: Palette) -> Scene:
    """Draw and place a patient of the setup's body region.

    Args:
        setup: How the population departs from the region's tables; how it is scanned.
        seed: The same seed gives the same patient.
        palette: Gets the tissues of this patient.

    Raises:
        ConfigError: If there is no phantom for the protocol.
    """
    if setup.protocol not in _REGIONS:
        raise ConfigError(f"phantom protocol: expected one of {', '.join(_REGIONS)}, got {setup.protocol!r}")
    region = import_module(f"imaging.phantom.{setup.protocol}.scene")
    scene: Scene = region.build_scene(setup, seed=seed, palette=palette)
    return scene
