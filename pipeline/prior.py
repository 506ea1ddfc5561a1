"""The earlier reading of ``--prior``: is it one of this body region, and what changed since.

What it says of the patient (sex, age) is only compared, never repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grading.types import Findings
from imaging.types import Study
from reporting.phrases import read_template

if TYPE_CHECKING:
    from reporting.prior import Comparison

_COMPARED_WEIGHTS = ("segmentation", "grading")


@dataclass(frozen=True)
class PriorReading:
    """An earlier reading that fits the study at hand.

    Attributes:
        findings: What it found, without its free text.
        document: Content of its reading.json, validated.
    """

    findings: Findings
    document: Mapping[str, Any]


def open_prior(document: Mapping[str, Any] | None, *, protocol: str, name: str) -> PriorReading | None:
    """Return the earlier reading, checked against the body region of the study; None when none was given.

    Raises:
        StudyError: If it is of another body region or its grades are none of our scales; names the file.
    """
    if document is None:
        return None
    from reporting.prior import prior_findings

    return PriorReading(prior_findings(document, protocol=protocol, name=name), document)


def compare_prior(
    prior: PriorReading | None, study: Study, findings: Findings, weights: Mapping[str, str]
) -> Comparison | None:
    """Return the change table against an earlier reading; None when none was given.

    Args:
        prior: The earlier reading.
        study: The study at hand.
        findings: Its findings.
        weights: Model name -> checksum of the weights at hand.
    """
    if prior is None:
        return None
    from reporting.prior import compare_with_prior

    notices = tuple(_notices(prior.document, study, weights))
    return compare_with_prior(findings, prior.findings, notices=notices)


def _notices(document: Mapping[str, Any], study: Study, weights: Mapping[str, str]) -> Iterator[str]:
    """Yield what makes the comparison doubtful."""
    frames = read_template("comparison.yaml")["notices"]
    before = document["study"]
    if before["key"] == study.key:
        yield frames["same_images"]
    if study.sex is not None and before["sex"] not in (None, study.sex):
        yield frames["other_sex"]
    if study.age_years is not None and before["age_years"] is not None and before["age_years"] > study.age_years:
        yield frames["older"]
    then = document["provenance"]["weights"]
    other = [name for name in _COMPARED_WEIGHTS if then.get(name) != weights.get(name)]
    if other:
        yield frames["other_weights"].format(names=" and ".join(other))
