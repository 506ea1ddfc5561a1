"""Options of one reading."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from anatomy import DISC_LEVELS, protocol_names
from imaging.label_import import ImportedLabels
from imaging.types import Spacing
from runtime.errors import ConfigError

AUTO = "auto"
STYLES = ("structured", "telegraphic", "narrative", "patient")
MAX_OVERRIDE = 300
"""Longest reason of an override, in characters."""


Anchor = tuple[str, tuple[float, float]]
"""A disc level confirmed by a person, and its point (x, y) in pixels of a slice of the primary series."""
_ANCHOR = re.compile(r"(?P<level>[^=]+)=(?P<x>[^,=]+),(?P<y>[^,=]+)")


class Writer(StrEnum):
    """Who writes the draft before it is verified."""

    VLM = "vlm"
    COMPOSER = "composer"


@dataclass(frozen=True)
class ReadOptions:
    """What a caller decides about one reading; everything else comes from the protocol and the models."""

    protocol: str = AUTO
    """``auto`` (decided from the study), or the name of an installed protocol."""
    spacing: Spacing | None = None
    """Pixel spacing in mm for a picture, which carries none; None leaves it unknown."""
    anchor: Anchor | None = None
    """A confirmed level, such as ``("L4-L5", (x, y))`` in pixels of the primary slice; renames all others."""
    prior: Mapping[str, Any] | None = None
    """Content of an earlier reading.json of the same patient, already validated (``load_reading``)."""
    prior_name: str = "the prior reading"
    """File name of the earlier reading, for messages only."""
    writer: Writer = Writer.VLM
    """``vlm``, or ``composer`` for the deterministic text alone."""
    style: str = "structured"
    """Style of the language model's text: ``structured``, ``telegraphic``, ``narrative`` or ``patient``."""
    draft_seconds: float = 60.0
    """Longest time in seconds that the language model may take before the composer writes instead."""
    isolate: bool = True
    """Read the files in a process of its own, bounded in time, memory and rights; the outcome is the same."""

    override: str | None = None
    """Why a study that the gates refuse is to be read all the same; kept in the reading. No names."""
    study: str | None = None
    """Which study of several in a DICOM folder or zip: number from 1, or key, as the refusal lists them."""
    labels: ImportedLabels | None = None
    """Another tool's labels, already in our numbers (``imaging.label_import``), in place of our outlines."""
    consistency: bool = False
    """Also sample drafts and tell how far they agree with each sentence; the text stays the same."""
    explain: bool = False
    """Keep where the segmentation network looked; changes nothing in the reading, so it is no part of the hash."""

    def __post_init__(self) -> None:
        if self.protocol != AUTO and self.protocol not in protocol_names():
            names = ", ".join((AUTO, *protocol_names()))
            raise ConfigError(f"protocol: expected one of {names}, got {self.protocol!r}")
        if self.anchor is not None and self.anchor[0] not in DISC_LEVELS:
            raise ConfigError(f"anchor: expected a disc level such as L4-L5, got {self.anchor[0]!r}")
        if self.anchor is not None and not all(math.isfinite(value) for value in self.anchor[1]):
            raise ConfigError(f"anchor: expected a point in pixels, got {self.anchor[1]!r}")
        if self.anchor is not None and self.labels is not None:
            raise ConfigError("anchor: expected either an anchor or labels, got both; labels name the levels")
        if self.style not in STYLES:
            raise ConfigError(f"style: expected one of {', '.join(STYLES)}, got {self.style!r}")
        if not self.draft_seconds > 0:
            raise ConfigError(f"draft_seconds: expected a time above 0, got {self.draft_seconds!r}")

        if self.override is not None and not _is_reason(self.override):
            raise ConfigError(
                f"override: expected a reason in words on one line, up to {MAX_OVERRIDE} characters, got "
                f"{self.override[:40]!r}"
            )

    @property
    def prior_study_key(self) -> str | None:
        """Return the study key of the prior reading, or None."""
        return None if self.prior is None else str(self.prior["study"]["key"])

    def to_dict(self) -> dict[str, Any]:
        """Return what the configuration hash covers: no path, no pixels."""
        spacing = self.spacing
        labels = self.labels
        return {
            **({} if labels is None else {"labels": [labels.convention.name, labels.sha256]}),
            "protocol": self.protocol,
            "spacing": None if spacing is None else [spacing.row_mm, spacing.col_mm, spacing.slice_mm],
            "anchor": None if self.anchor is None else [self.anchor[0], list(self.anchor[1])],
            "prior": self.prior_study_key,
            **({} if self.prior is None else {"prior_sha256": _digest(self.prior)}),
            "writer": self.writer.value,
            "style": self.style,
            **({"consistency": True} if self.consistency else {}),
            "override": self.override,
            "study": self.study,
        }


def _digest(document: Mapping[str, Any]) -> str:
    """Return the checksum of the content of a reading.json, however it was laid out."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _is_reason(text: str) -> bool:
    return text.isprintable() and any(sign.isalpha() for sign in text) and len(text) <= MAX_OVERRIDE


def parse_anchor(text: str) -> Anchor:
    """Return the anchor written as ``LEVEL=X,Y``, such as ``L5-S1=201,388``; x is the column, y the row.

    Raises:
        ConfigError: If the text is not of that form.
    """
    found = _ANCHOR.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError(text)
        point = float(found["x"]), float(found["y"])
    except ValueError as error:
        raise ConfigError(
            f"anchor: expected LEVEL=X,Y in pixels of the slice, such as L5-S1=201,388, got {text!r}"
        ) from error
    return found["level"].strip().upper().replace("/", "-"), point
