"""A stored reading as records again: nothing of it is lost, and its change table stays as it was made."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from reporting.prior import compare_with_prior, prior_findings
from reporting.restored import restore_comparison, restore_findings, restore_report
from tests.read_phantoms import ReadPhantom

PROTOCOLS = ("lumbar", "cervical", "sacroiliac")


def document_of(made: ReadPhantom) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((made.reading / "reading.json").read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_reading_comes_back_with_all_of_its_words(phantoms: Callable[[str], ReadPhantom], protocol: str) -> None:
    document = document_of(phantoms(protocol))
    findings = restore_findings(document)
    assert [grade.to_dict() for grade in findings.grades] == document["grades"]
    assert [item.to_dict() for item in findings.measurements] == document["measurements"]
    assert [level.to_dict() for level in findings.levels] == document["levels"]
    assert findings.burden.to_dict() == document["burden"]
    assert restore_report(document).to_dict() == document["report"]
    assert restore_comparison(document, findings) is None


def test_a_change_table_stays_as_it_was_made(phantoms: Callable[[str], ReadPhantom]) -> None:
    document = document_of(phantoms("lumbar"))
    earlier = copy.deepcopy(document)
    earlier["grades"] = [{**row, "id": f"p{row['id']}"} for row in earlier["grades"][3:]]
    for row in earlier["measurements"]:
        row["value"] = None if row["value"] is None else row["value"] * 1.2 + 3
    findings = restore_findings(document)
    prior = prior_findings(earlier, protocol="lumbar", name="earlier.json")
    table = compare_with_prior(findings, prior, notices=("A notice.",)).to_dict()
    document["comparison"] = table
    assert restored(document) == table
    measured = next(
        row for row in table["measurements"] if row["change"] == "increased" or row["change"] == "decreased"
    )
    measured.update(change="within_error", limit=99.0)  # what other rules of another day said
    table["rules"] = "comparison/0"
    assert restored(document) == table


def restored(document: dict[str, Any]) -> dict[str, Any]:
    comparison = restore_comparison(document, restore_findings(document))
    assert comparison is not None
    return comparison.to_dict()
