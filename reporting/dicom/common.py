"""What all DICOM objects of an export share: who made them, their UIDs, how they are written.

The same report gives the same UIDs: what is exported twice is one object to an archive, not two.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from typing import Any

import highdicom
from highdicom.sr.coding import CodedConcept
from pydicom import Dataset
from pydicom.sr.codedict import codes

from anatomy.structures import label_codes
from reporting.codes import SCHEME
from reporting.export.package import Package

MANUFACTURER = "SpineScribe"
MODEL = "SpineScribe"
DEVICE_SERIAL = "none"

ARTIFICIAL_INTELLIGENCE: CodedConcept = codes.DCM.ArtificialIntelligence
_UID_NAMESPACE = uuid.UUID("7b0f5c3e-6a0e-5b58-9f6d-3a8f0f2f8f55")


@dataclass(frozen=True)
class SeriesNumbers:
    """Series numbers of what we write, above those that scanners use."""

    segmentation: int = 8001
    structured: int = 8101
    document: int = 8201
    key_images: int = 8301


SERIES_NUMBERS = SeriesNumbers()


def made_uid(package: Package, *parts: str) -> str:
    """Return the UID of an object: the same for the same report, other ones for other states and versions.

    Args:
        package: What is exported.
        *parts: What tells the object from all others of the export, such as ``seg``, ``S2``, ``instance``.
    """
    outgoing = package.outgoing
    text = "/".join((outgoing.study_key, str(outgoing.provenance["reading"]), str(outgoing.version), *parts))
    return f"2.25.{uuid.uuid5(_UID_NAMESPACE, text).int}"


def date_by(made: Dataset, package: Package) -> None:
    """Date an object by the version of the report that it tells, in UTC, whenever it is exported.

    Args:
        made: What the library dated by its clock; but one UID stands for one content, dates included.
        package: What is exported.
    """
    at = package.outgoing.at
    day, moment = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    made.InstanceCreationDate, made.InstanceCreationTime = day, moment
    if "ContentDate" in made:
        made.ContentDate, made.ContentTime = day, moment
    for item in made.get("ContributingEquipmentSequence", ()):
        item.ContributionDateTime = at.strftime("%Y%m%d%H%M%S%z")


def tracking_uid(package: Package, *parts: str) -> str:
    """Return the UID by which a statement or a segment is followed: the same in every version of a report."""
    every_version = replace(package, outgoing=replace(package.outgoing, version=0))
    return made_uid(every_version, "tracking", *parts)


def segment_tracking(package: Package, series_id: str, label: int) -> tuple[str, str]:
    """Return identifier and UID of a segment; the SR group that measures it has the same (PS3.3 C.8.20.4).

    Args:
        package: What is exported.
        series_id: Series of the label map.
        label: Number of ``anatomy/codes.csv``.
    """
    return f"{series_id} {label_codes()[label].name}", tracking_uid(package, "segment", series_id, str(label))


def software_version(package: Package) -> str:
    """Return the version of SpineScribe that made the reading."""
    return str(package.outgoing.provenance["spinescribe"])


def weights_of(package: Package) -> dict[str, str]:
    """Return the networks behind a reading by the SHA-256 of their weights: ``weights NAME`` -> checksum."""
    models = package.outgoing.provenance["models"]
    return {f"weights {name}": str(checksum) for name, checksum in sorted(models.items())}


def algorithm_of(package: Package) -> highdicom.AlgorithmIdentificationSequence:
    """Return who found what the object states (Algorithm Identification, PS3.3 table 10-19)."""
    return highdicom.AlgorithmIdentificationSequence(
        name=MODEL,
        version=software_version(package),
        family=ARTIFICIAL_INTELLIGENCE,
        source=MANUFACTURER,
        parameters={name: checksum[:16] for name, checksum in weights_of(package).items()} or None,
    )


def description_of(package: Package, what: str) -> str:
    """Return a series description (64 characters at most): what it is, and that it is a draft while it is one."""
    return f"SpineScribe {what}{'' if package.outgoing.mark is None else ' - AI DRAFT, not signed'}"[:64]


def to_bytes(dataset: Dataset) -> bytes:
    """Return a DICOM file."""
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@cache
def private_code(value: str, meaning: str) -> CodedConcept:
    """Return a code of our own for what no public scheme names."""
    return CodedConcept(value=value[:16], scheme_designator=SCHEME, meaning=meaning[:64])


def equipment() -> dict[str, Any]:
    """Return the arguments that highdicom's objects take for the equipment, without the software versions."""
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MODEL,
        "device_serial_number": DEVICE_SERIAL,
    }
