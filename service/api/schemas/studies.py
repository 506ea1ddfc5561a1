"""What requests about studies hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from anatomy import protocol_names
from imaging import parse_spacing
from pipeline import Writer
from pipeline.config import AUTO, parse_anchor
from runtime.errors import ConfigError
from service.studies.records import StudyOut
from vlm.config import load_training_table
from vlm.writers import preset_file, writer_names

_ID = r"^[0-9a-f]{32}$"
_ANCHOR_CHARS = 60


def _printable(text: str) -> str:
    cleaned = " ".join(text.split())
    if not cleaned.isprintable():
        raise ValueError("expected words on one line")
    return cleaned


def _protocol(name: str) -> str:
    if name not in (AUTO, *protocol_names()):
        raise ValueError(f"expected one of {', '.join((AUTO, *protocol_names()))}")
    return name


def _installed_protocol(name: str) -> str:
    if name not in protocol_names():
        raise ValueError(f"expected one of {', '.join(protocol_names())}")
    return name


def _spacing(text: str) -> str:
    if text.strip():
        try:
            parse_spacing(text)
        except ConfigError as error:
            raise ValueError(str(error)) from error
    return text.strip()


def _anchor(text: str) -> str:
    if text.strip():
        try:
            parse_anchor(text)
        except ConfigError as error:
            raise ValueError(str(error)) from error
    return text.strip()


def _writer(name: str) -> str:
    if name and name not in offered_writers():
        raise ValueError(f"expected one of {', '.join(offered_writers())}, or nothing for the usual one")
    return name


def offered_writers() -> tuple[str, ...]:
    """Return the writers that a user may ask for: presets that run on this machine, and the composer.

    Never a path, and never a remote one: that is for whoever runs the service to choose for all.
    """
    local = (name for name in writer_names() if load_training_table(preset_file(name))["architecture"] != "remote")
    return (Writer.COMPOSER.value, *local)


Label = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
ProtocolName = Annotated[str, Field(max_length=20), AfterValidator(_protocol)]
SpacingText = Annotated[str, Field(max_length=40), AfterValidator(_spacing)]
AnchorText = Annotated[str, Field(max_length=_ANCHOR_CHARS), AfterValidator(_anchor)]
WriterName = Annotated[str, Field(max_length=80), AfterValidator(_writer)]
Id = Annotated[str, Field(pattern=_ID)]


class UploadFields(BaseModel):
    """The fields of an upload beside its file; an empty one counts as left out."""

    model_config = ConfigDict(extra="forbid")

    protocol: ProtocolName = AUTO
    spacing: SpacingText = ""
    label: Label = ""
    group_id: Id | None = None
    prior_study_id: Id | None = None
    writer: WriterName = ""


class SampleIn(BaseModel):
    """Which sample study."""

    model_config = ConfigDict(extra="forbid")

    protocol: Annotated[str, Field(max_length=20), AfterValidator(_installed_protocol)] = "lumbar"


class StudyChange(BaseModel):
    """What changes of a study; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    label: Label = ""
    group_id: Id | None = None


class FurtherReading(BaseModel):
    """How a study is read once more."""

    model_config = ConfigDict(extra="forbid")

    writer: WriterName = ""
    protocol: ProtocolName = AUTO
    anchor: AnchorText = ""


class StudyPage(BaseModel):
    """A page of the worklist; ``total`` counts all pages."""

    items: list[StudyOut]
    total: int
