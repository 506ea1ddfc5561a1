"""What naming levels rests on: fitted tables, weights of the kinds of evidence, and the junction's heads.

The tables are data of this package (``steps.csv``, ``discs.csv``, ``naming.yaml``); the heads are weights
(``weights/level-naming``). Both come out of one fit on held-out predictions
(``python -m segmentation.training.naming``); ``benchmarks/levels`` fits them again without each fold.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from safetensors.numpy import load_file

from imaging.types import Sequence
from runtime.errors import WeightsError
from runtime.settings import load_settings
from runtime.weights import open_weights
from segmentation.junction import JunctionHead
from segmentation.types import SliceMaps

_log = logging.getLogger(__name__)

WEIGHTS = "level-naming"
TERMS = ("maps", "length", "steps", "end", "junction")
"""Kinds of evidence that have a weight."""
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class UsualStep:
    """Usual relation of two neighbouring discs.

    Attributes:
        step: Distance of the centres over the usual lumbar one.
        tilt_deg: Angle of the lower disc minus that of the upper one.
    """

    step: float
    tilt_deg: float


@dataclass(frozen=True)
class EndOdds:
    """How often the lower end of a chain looks so, as counted on held-out slices.

    Attributes:
        lumbosacral: Share of complete views whose lowest outlined disc is L5-S1.
        vertebra_below: (share of vertebra below the lowest disc, up to; how often so when that disc is L5-S1; when
            it is a higher one), ascending.
        sacrum_below: The same of sacrum, where the network knows one.
        answer_below: How often a level map answers one step below the lowest disc: of L5-S1, of a higher one.
        faint_below: How often a faint disc shows there: below L5-S1, below a higher one.
    """

    lumbosacral: float
    vertebra_below: tuple[tuple[float, float, float], ...]
    sacrum_below: tuple[tuple[float, float, float], ...]
    answer_below: tuple[float, float]
    faint_below: tuple[float, float]


@dataclass(frozen=True)
class NamingTables:
    """All numbers that naming rests on.

    Attributes:
        steps: (upper level, lower level) -> usual step.
        lengths: Level -> disc length over the median of its slice.
        end: What the lower end of a chain looks like.
        weights: Kind of evidence -> weight, with the junction's answers.
        weights_alone: The same without them.
        sure: A name less probable than this is doubtful, with the junction's answers.
        sure_alone: The same without them.
    """

    steps: Mapping[tuple[str, str], UsualStep]
    lengths: Mapping[str, float]
    end: EndOdds
    weights: Mapping[str, float]
    weights_alone: Mapping[str, float]
    sure: float
    sure_alone: float

    def step(self, upper: str, lower: str) -> UsualStep:
        """Return the usual step of two neighbouring levels; 1 and no tilt where none was measured."""
        return self.steps.get((upper, lower), UsualStep(1.0, 0.0))

    def distance(self, upper: int, lower: int, names: tuple[str, ...]) -> float:
        """Return the usual distance of two names by index, in usual lumbar pitches."""
        return sum(self.step(names[k], names[k + 1]).step for k in range(upper, lower))


@dataclass(frozen=True, eq=False)
class LevelNaming:
    """Tables and heads, ready.

    Attributes:
        tables: All numbers.
        t2: Looks at grey values and maps; None where not installed.
        maps_only: Looks at maps alone, for other sequences; None where not installed.
        checksum: Of the heads' weights; None without them.
    """

    tables: NamingTables
    t2: JunctionHead | None = None
    maps_only: JunctionHead | None = None
    checksum: str | None = None

    def head_for(self, sequence: Sequence, maps: SliceMaps) -> JunctionHead | None:
        """Return the head for a slice; None when there is none or the network lacks a map that it looks at."""
        head = self.t2 if sequence is Sequence.T2 else self.maps_only
        return head if head is not None and head.fits(maps) else None


@cache
def shipped_tables() -> NamingTables:
    """Return the tables of this package."""
    content = yaml.safe_load((_HERE / "naming.yaml").read_text(encoding="utf-8"))
    end = content["end"]
    return NamingTables(
        steps={
            (row["upper"], row["lower"]): UsualStep(float(row["step"]), float(row["tilt_deg"]))
            for row in _rows("steps.csv")
        },
        lengths={row["level"]: float(row["length"]) for row in _rows("discs.csv")},
        end=EndOdds(
            lumbosacral=float(end["lumbosacral"]),
            vertebra_below=_rows_of(end["vertebra_below"]),
            sacrum_below=_rows_of(end["sacrum_below"]),
            answer_below=(float(end["answer_below"][0]), float(end["answer_below"][1])),
            faint_below=(float(end["faint_below"][0]), float(end["faint_below"][1])),
        ),
        weights={term: float(content["weights"][term]) for term in TERMS},
        weights_alone={term: float(content["weights_alone"].get(term, 0.0)) for term in TERMS},
        sure=float(content["sure"]),
        sure_alone=float(content["sure_alone"]),
    )


def open_naming(*, weights_root: Path | None = None) -> LevelNaming:
    """Return the shipped tables with the installed heads; a warning and no heads when none are installed.

    Raises:
        WeightsError: If the heads are damaged.
    """
    root = weights_root or load_settings().weights_dir
    if not (root / WEIGHTS).is_dir():
        _log.warning("weights %r are not installed: levels are named without a look at the sacrum", WEIGHTS)
        return LevelNaming(shipped_tables())
    folder = open_weights(WEIGHTS, root)
    stored = load_file(folder.path / "model.safetensors")
    try:
        heads = {
            name: JunctionHead(
                channels=tuple(folder.config["channels"][name]),
                weights=stored[f"{name}.weights"].astype(np.float64),
                bias=stored[f"{name}.bias"].astype(np.float64),
            )
            for name in ("t2", "maps_only")
        }
    except (KeyError, TypeError) as error:
        raise WeightsError(f"weights {WEIGHTS!r}: model.safetensors holds no heads: {error}") from error
    return LevelNaming(shipped_tables(), heads["t2"], heads["maps_only"], folder.checksum)


def _rows_of(rows: list[list[float]]) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(limit), float(own), float(higher)) for limit, own, higher in rows)


def _rows(name: str) -> list[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
