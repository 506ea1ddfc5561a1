"""The phrase files: how conditions, values and sentences are worded (``templates/*.yaml``), checked at load."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from anatomy import Condition
from grading.types import Grade
from runtime.errors import ConfigError

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class MeasurementPhrase:
    """How a value is said beside its condition.

    Attributes:
        name: Name of the measurement, such as ``canal_ap_diameter``.
        text: With ``{value}``, one decimal.
        unit: ``mm``, ``deg`` ...
    """

    name: str
    text: str
    unit: str


@dataclass(frozen=True)
class ConditionPhrases:
    """Wordings of one condition; the first of each tuple is the composer's.

    Attributes:
        abnormal: When it is there, or possible (``{hedge}``).
        absent: After ``no``.
        explicit: When a normal step is named by number; empty for other scales.
        stepped: When steps of a numbered scale are named; empty when ``abnormal`` does it.
        below: The same where every step lies below the scale's ``present_from``.
        either: The same where only some do.
        plain: ``abnormal`` in plain words; empty where the usual words are plain enough.
        plain_stepped: ``stepped`` in plain words.
        plain_below: ``below`` in plain words.
        plain_either: ``either`` in plain words.
        plain_absent: ``absent`` in plain words.
    """

    abnormal: tuple[str, ...]
    absent: tuple[str, ...]
    explicit: tuple[str, ...] = ()
    stepped: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    plain_stepped: tuple[str, ...] = ()
    plain_below: tuple[str, ...] = ()
    plain_either: tuple[str, ...] = ()
    plain_absent: tuple[str, ...] = ()

    def in_plain_words(self) -> "ConditionPhrases":
        """Return the wordings with plain words in the place of technical ones, where there are any."""
        return replace(
            self,
            abnormal=self.plain or self.abnormal,
            stepped=self.plain_stepped or self.stepped,
            below=self.plain_below or self.below,
            either=self.plain_either or self.either,
            absent=self.plain_absent or self.absent,
        )


@dataclass(frozen=True)
class Phrases:
    """The content of ``phrases.yaml``."""

    version: str
    hedges: tuple[str, ...]
    conditions: dict[Condition, ConditionPhrases]
    scales: dict[str, ConditionPhrases]
    sided_pair: str
    heads: dict[Condition, str]
    either_side: str
    both_endplates: ConditionPhrases
    measurements: dict[Condition, tuple[MeasurementPhrase, ...]]

    def of(self, grade: Grade) -> ConditionPhrases:
        """Return the wordings of a grade: those of its scale where it has its own, else of its condition."""
        return self.scales.get(grade.scale) or self.conditions[grade.condition]


@dataclass(frozen=True)
class Style:
    """Frames of one style; the first of each tuple is the composer's.

    Attributes:
        name: ``structured``, ``telegraphic``, ``narrative`` or ``patient``.
        has_articles: Whether ``a`` stays before countable phrases.
        header: Opens the first sentence of a level.
        positive: Frames for what is there or possible.
        negative: Frames for what is not there.
        joins: Before the last of several items.
        negative_joins: The same after ``no``.
        is_plain: Whether conditions are named in plain words.
    """

    name: str
    has_articles: bool
    header: tuple[str, ...]
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    joins: tuple[str, ...]
    negative_joins: tuple[str, ...]
    is_plain: bool = False


@dataclass(frozen=True)
class Styles:
    """The content of ``styles.yaml``: which conditions share a sentence, and the frames."""

    version: str
    groups: tuple[tuple[Condition, ...], ...]
    styles: dict[str, Style]

    def style(self, name: str) -> Style:
        """Return one style.

        Raises:
            ConfigError: If there is no such style.
        """
        if name not in self.styles:
            raise ConfigError(f"report style: expected one of {', '.join(self.styles)}, got {name!r}")
        return self.styles[name]


@cache
def read_template(name: str) -> dict[str, Any]:
    """Read a phrase file of ``templates/``.

    Raises:
        ConfigError: If it is not a table with a ``version``.
    """
    table = yaml.safe_load((_TEMPLATES / name).read_text(encoding="utf-8"))
    if not isinstance(table, dict) or "version" not in table:
        raise ConfigError(f"{name}: expected a table with a version, got {type(table).__name__}")
    return table


@cache
def load_phrases() -> Phrases:
    """Return the wordings of all conditions."""
    table = read_template("phrases.yaml")
    return Phrases(
        version=table["version"],
        hedges=tuple(table["hedges"]),
        conditions={Condition(name): _condition(row) for name, row in table["conditions"].items()},
        scales={name: _condition(row) for name, row in table["scales"].items()},
        sided_pair=table["sided_pair"],
        heads={Condition(name): text for name, text in table["heads"].items()},
        either_side=table["either_side"],
        both_endplates=_condition(table["both_endplates"]),
        measurements={
            Condition(name): tuple(MeasurementPhrase(**row) for row in rows)
            for name, rows in table["measurements"].items()
        },
    )


@cache
def load_styles() -> Styles:
    """Return the frames of all styles."""
    table = read_template("styles.yaml")
    return Styles(
        version=table["version"],
        groups=tuple(tuple(Condition(name) for name in group) for group in table["groups"]),
        styles={name: _style(name, row) for name, row in table["styles"].items()},
    )


def measurement_phrases(condition: Condition) -> tuple[MeasurementPhrase, ...]:
    """Return how values of a condition are said; empty when none are."""
    return load_phrases().measurements.get(condition, ())


def template_versions() -> dict[str, str]:
    """Return phrase file -> version, for the provenance."""
    return {file.stem: read_template(file.name)["version"] for file in sorted(_TEMPLATES.glob("*.yaml"))}


def _condition(row: dict[str, list[str]]) -> ConditionPhrases:
    return ConditionPhrases(**{key: tuple(texts) for key, texts in row.items()})


def _style(name: str, row: dict[str, Any]) -> Style:
    lists = {key: tuple(value) for key, value in row.items() if isinstance(value, list)}
    return Style(name=name, has_articles=row["has_articles"], is_plain=row.get("is_plain", False), **lists)
