"""Several graders on one reading, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anatomy import load_protocol
from pipeline.types import Reading
from runtime.errors import ConfigError

if TYPE_CHECKING:
    from grading import Grader
    from grading.ensemble import Comparison


def open_graders(names: Sequence[str], *, device: str = "auto") -> dict[str, Grader]:
    """Open graders of discs.

    Args:
        names: Of shipped weights, or paths of model folders.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ConfigError: If there are fewer than two different ones, or one grades no discs.
        WeightsError: If weights are missing or damaged.
    """
    from grading import Grader, load_grader

    if len(set(names)) < 2:
        raise ConfigError(f"--graders: expected two or more different ones, got {', '.join(names)}")
    graders: dict[str, Grader] = {}
    for name in dict.fromkeys(names):
        folder = Path(name)
        root = folder.resolve().parent if len(folder.parts) > 1 else None
        grader = load_grader(name=folder.resolve().name if root else name, weights_root=root, device=device)
        if not isinstance(grader, Grader):
            raise ConfigError(f"--graders: expected graders of discs, got {name}, which grades sacroiliac joints")
        graders[name] = grader
    return graders


def compare_graders(reading: Reading, graders: Mapping[str, Grader]) -> list[Comparison]:
    """Return every place of a reading with what each grader says of it.

    Raises:
        ConfigError: If a grader is of another body region than the reading.
    """
    from grading.ensemble import EnsembleGrader

    protocol = load_protocol(reading.study.protocol)
    for name, grader in graders.items():
        if grader.config.region != protocol.name:
            raise ConfigError(
                f"--graders: expected graders of the {protocol.name} protocol, got {name} ({grader.config.region})"
            )
    return EnsembleGrader(graders).compare(reading.study, reading.segmented, protocol)
