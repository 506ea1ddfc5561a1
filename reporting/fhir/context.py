"""What all resources of a bundle share: the report, the version of FHIR, ids that stay the same.

The same report gives the same ids in both versions of FHIR and in all of its own versions: a server that gets the
signed report after the draft updates the resources it has.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from reporting.export.package import Package
from reporting.types import ReportState

Resource = dict[str, Any]
"""A resource, or an element of one, as JSON."""

_NAMESPACE = uuid.UUID("0d9f6b54-2f0c-5c0f-8a52-6a2f5f0f5a11")


class FhirVersion(StrEnum):
    """Version of FHIR."""

    R4 = "r4"
    R5 = "r5"


@dataclass(frozen=True, eq=False)
class Context:
    """What a bundle is built from.

    Attributes:
        package: What is exported.
        version: Version of FHIR.
        with_identifiers: Whether the patient's ID, the accession number and the study's date of the source are
            told.
    """

    package: Package
    version: FhirVersion
    with_identifiers: bool = False

    @property
    def is_r5(self) -> bool:
        """Return whether the bundle is one of R5."""
        return self.version is FhirVersion.R5

    @property
    def made(self) -> Mapping[str, Any]:
        """Return models, versions, rules and thresholds behind the report."""
        return self.package.outgoing.provenance

    @property
    def report_status(self) -> str:
        """Return the status of the DiagnosticReport: final only while a signature stands under it."""
        outgoing = self.package.outgoing
        if outgoing.status is not ReportState.SIGNED:
            return "preliminary"
        return "amended" if outgoing.amends else "final"

    @property
    def observation_status(self) -> str:
        """Return the status of each Observation; which of them an amendment changed is not known."""
        return "final" if self.package.outgoing.status is ReportState.SIGNED else "preliminary"

    @cached_property
    def finding_ids(self) -> frozenset[str]:
        """Return the ids of all grades and measurements of the bundle."""
        findings = self.package.outgoing.findings
        return frozenset({item.id for item in findings.grades} | {item.id for item in findings.measurements})

    def id(self, kind: str, key: str = "") -> str:
        """Return the id of a resource: a UUID of the study and its kind; of the reading too where it has a key."""
        reading = (str(self.made["reading"]), key) if key else ()
        return str(uuid.uuid5(_NAMESPACE, "/".join((self.package.outgoing.study_key, kind, *reading))))

    def findings(self, keys: Iterable[str]) -> list[Resource]:
        """Return references to Observations of grades and measurements; ids that are not there are left out."""
        return [self.reference("Observation", key) for key in keys if key in self.finding_ids]

    def reference(self, kind: str, key: str = "") -> Resource:
        """Return a reference to a resource of the bundle."""
        return {"reference": f"urn:uuid:{self.id(kind, key)}"}

    def resource(self, kind: str, key: str = "", **content: Any) -> Resource:
        """Return a resource with its id; empty content is left out."""
        told = {name: value for name, value in content.items() if value not in (None, [], {}, "")}
        return {"resourceType": kind, "id": self.id(kind, key), **told}
