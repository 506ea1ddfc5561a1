"""What the screen runs: a base, single changes to it, and seeds; told by one YAML file."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runtime.errors import ConfigError
from runtime.folds import FOLD_COUNT

SCREEN_FILE = Path("configs/segmentation/ablation/screen.yaml")
Values = Mapping[str, Any]
"""A training file's content."""
_CHANGE_KEYS = {"network", "training", "start", "revision"}


@dataclass(frozen=True)
class Job:
    """One training run and its scores.

    Attributes:
        variant: Name of the change.
        seed: Of weights, draws and augmentation.
        fold: Held out.
        run: Content of its training file.
        start: Content of the training file of the run it begins from; None begins from random weights.
        revision: Of the code that only this variant uses.
    """

    variant: str
    seed: int
    fold: int
    run: Values
    start: Values | None
    revision: int = 1

    @property
    def name(self) -> str:
        """Name of the job's folder."""
        return f"{self.variant}-s{self.seed}"

    @property
    def fingerprint(self) -> str:
        """Short hash of all that the figures depend on but the code."""
        told: list[object] = [self.fold, self.run, self.start]
        if self.revision > 1:
            told.append(self.revision)
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Screen:
    """The screen's file.

    Attributes:
        fold: Held out by all runs.
        seeds: Of every variant.
        base: Variant that the others are compared with.
        run: Training file of the base.
        starts: Name -> overrides of ``run`` of the runs that variants begin from.
        variants: Name -> overrides of ``run``, ``start`` and ``revision``.
        short_seeds: Of the short form.
        short_variants: Of the short form.
    """

    fold: int
    seeds: tuple[int, ...]
    base: str
    run: Values
    starts: Mapping[str, Values]
    variants: Mapping[str, Values]
    short_seeds: tuple[int, ...]
    short_variants: tuple[str, ...]

    def jobs(
        self, variants: Sequence[str] | None = None, seeds: Sequence[int] | None = None, steps: int | None = None
    ) -> list[Job]:
        """Return the jobs, all variants of a seed before the next seed.

        Args:
            variants: Only these; None takes all.
            seeds: Only these; None takes all.
            steps: Of every run, in place of the file's (a dry run).

        Raises:
            ConfigError: If there is no such variant.
        """
        chosen = list(self.variants) if variants is None else list(variants)
        if unknown := [name for name in chosen if name not in self.variants]:
            raise ConfigError(f"screen: expected variants among {list(self.variants)!r}, got {unknown!r}")
        return [self._job(name, seed, steps) for seed in (seeds or self.seeds) for name in chosen]

    def _job(self, variant: str, seed: int, steps: int | None) -> Job:
        change = dict(self.variants[variant])
        start, revision = change.pop("start", None), change.pop("revision", 1)
        fixed: dict[str, Any] = {"training": {"seed": seed, **({} if steps is None else {"steps": steps})}}
        run = merged(merged(self.run, change), fixed)
        begin = None if start is None else merged(run, self.starts[start])
        return Job(variant, seed, self.fold, run, begin, revision)


def merged(values: Values, change: Values) -> dict[str, Any]:
    """Return values with changes: what is a mapping in both is merged, all else is replaced.

    A ``mix`` is replaced as a whole: its shares belong together.
    """
    result = dict(values)
    for key, value in change.items():
        is_mapping = isinstance(value, Mapping) and isinstance(result.get(key), Mapping) and key != "mix"
        result[key] = merged(result[key], value) if is_mapping else value
    return result


def load_screen(file: Path = SCREEN_FILE) -> Screen:
    """Read the screen's file.

    Raises:
        ConfigError: If it is missing, has unknown or missing keys, or names a variant or start there is not.
    """
    if not file.is_file():
        raise ConfigError(f"{file.name}: expected the screen's file at {file}, found nothing")
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    keys = {"fold", "seeds", "base", "run", "starts", "variants", "short"}
    if not isinstance(values, dict) or set(values) != keys:
        raise ConfigError(f"{file.name}: expected the keys {sorted(keys)!r}, got {values!r}"[:300])
    variants, starts, short = values["variants"], values["starts"], values["short"]
    for name, change in variants.items():
        if unknown := set(change) - _CHANGE_KEYS:
            raise ConfigError(f"{file.name}: {name}: expected {sorted(_CHANGE_KEYS)!r}, got {sorted(unknown)!r}")
        if "start" in change and change["start"] not in starts:
            raise ConfigError(
                f"{file.name}: {name}: expected a start among {list(starts)!r}, got {change['start']!r}"
            )
    if unknown := {values["base"], *short["variants"]} - set(variants):
        raise ConfigError(f"{file.name}: base and short: expected names of variants, got {sorted(unknown)!r}")
    if values["fold"] not in range(FOLD_COUNT):
        raise ConfigError(f"{file.name}: fold: expected 0 to {FOLD_COUNT - 1}, got {values['fold']!r}")
    return Screen(
        fold=values["fold"],
        seeds=tuple(values["seeds"]),
        base=values["base"],
        run=values["run"],
        starts=starts,
        variants=variants,
        short_seeds=tuple(short["seeds"]),
        short_variants=tuple(short["variants"]),
    )
