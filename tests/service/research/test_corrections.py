"""Corrections: who gets whose, what a line holds, and that nothing in it names a patient, a study or a day."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from evaluation.run import evaluate
from service.accounts.actor import Actor
from service.api.research import router
from service.research.corrections import SCHEMA, collect_corrections, counts_by_condition
from service.services import Services
from service.store.tables import AuditEntry
from service.store.words import ReportStatus, Role, Verdict
from tests.service.conftest import add_user
from tests.service.research.conftest import graded

KEY = b"k" * 32
ADDRESS = "/api/v1/research/corrections"
Sign = Callable[..., str]


def lines_of(services: Services, actor: Actor, key: bytes = KEY) -> list[dict[str, Any]]:
    with services.database.read() as session:
        return [json.loads(line) for line in collect_corrections(session, actor, key).jsonl().splitlines()]


@pytest.fixture
def reader(services: Services) -> Actor:
    """Return a researcher of a group."""
    return add_user(services, "reader", Role.RESEARCHER, group="spine")


@pytest.fixture
def shared(reader: Actor) -> dict[str, Any]:
    """Return the fields of a study that the group shares."""
    return {"group_id": next(iter(reader.group_ids))}


def test_decided_findings_tell_machine_and_human(
    services: Services, radiologist: Actor, reader: Actor, shared: dict[str, Any], sign: Sign, document: Any
) -> None:
    sign(radiologist, **shared)
    found = [line for line in lines_of(services, reader) if line["kind"] == "finding"]
    rows = {row["id"]: row for row in graded(document, 3)}
    assert [line["verdict"] for line in found] == ["accept", "edit", "reject"]
    accepted, edited, rejected = found
    for line in found:
        row = rows[line["finding_id"]]
        assert line["machine"] == {
            name: row[name] for name in ("status", "grade", "probabilities", "prediction_set")
        }
        assert (line["level"], line["condition"], line["scale"]) == (row["level"], row["condition"], row["scale"])
        assert line["models"]["weights"] == document["provenance"]["weights"]
        assert line["models"]["writer"] == "spine-tiny"
    assert accepted["human_grade"] == accepted["machine"]["grade"]
    assert edited["human_grade"] == list(edited["machine"]["probabilities"])[-1]
    assert rejected["human_grade"] is None


def test_changed_sentences_stand_beside_what_the_machine_wrote(
    services: Services, radiologist: Actor, reader: Actor, shared: dict[str, Any], sign: Sign, document: Any
) -> None:
    proposed = next(s for s in document["report"]["sections"] if s["name"] == "findings")["sentences"]
    sign(
        radiologist, {0: "T12-L1: normal disc.", 1: None}, added=("Small perineural cyst at S2.",), verdicts=(),
        **shared,
    )  # fmt: skip
    found = {line["change"]: line for line in lines_of(services, reader) if line["kind"] == "sentence"}
    assert set(found) == {"edited", "removed", "added"}
    assert found["edited"]["machine_sentence"] == proposed[0]["text"]
    assert found["edited"]["signed_sentence"] == "T12-L1: normal disc."
    assert found["edited"]["finding_ids"] == proposed[0]["finding_ids"]
    assert found["edited"]["levels"] == ["T12-L1"]
    assert found["edited"]["facts"][0].startswith("T12-L1 ")
    assert (found["removed"]["machine_sentence"], found["removed"]["signed_sentence"]) == (
        proposed[1]["text"],
        None,
    )
    assert found["added"]["machine_sentence"] is None
    assert found["added"]["origin"] == "human"


def test_the_facts_of_a_sentence_are_those_that_the_reader_left(
    services: Services, radiologist: Actor, reader: Actor, shared: dict[str, Any], sign: Sign, document: Any
) -> None:
    grade = graded(document, 1)[0]
    sign(radiologist, {0: "T12-L1: normal disc."}, verdicts=(Verdict.EDIT,), **shared)
    (line,) = (line for line in lines_of(services, reader) if line["kind"] == "sentence")
    assert grade["level"] == "T12-L1"
    assert f"disc_degeneration pfirrmann {list(grade['probabilities'])[-1]} " in line["facts"][0]


def test_a_sentence_that_may_name_somebody_is_dropped_and_counted(
    services: Services, radiologist: Actor, reader: Actor, shared: dict[str, Any], sign: Sign
) -> None:
    sign(
        radiologist,
        {0: "Mrs Jane Miller: normal disc.", 1: "No change since 12.03.2024.", 2: "MRN 0815: no stenosis."},
        added=("Normal conus.",),
        **shared,
    )
    lines = lines_of(services, reader)
    assert [line["signed_sentence"] for line in lines if line["kind"] == "sentence"] == ["Normal conus."]
    assert lines[-1]["kind"] == "summary"
    assert lines[-1]["dropped_sentences"] == {"number": 2, "unknown_word": 1}
    text = json.dumps(lines)
    for telling in ("Miller", "0815", "2024", "note"):
        assert telling not in text


def test_nothing_leads_back_to_study_user_or_day(
    services: Services, radiologist: Actor, reader: Actor, shared: dict[str, Any], sign: Sign, document: Any
) -> None:
    study_id = sign(radiologist, {0: "Normal disc."}, **shared)
    text = json.dumps(lines_of(services, reader))
    for telling in (study_id, document["study"]["key"], "phantom", radiologist.user_id, "Dr rad", "-14"):
        assert telling not in text
    assert {line["month"] for line in lines_of(services, reader)[:-1]} == {"2026-03"}


def test_pseudonyms_are_stable_under_one_key_and_of_no_use_without_it(
    services: Services, radiologist: Actor, reader: Actor, shared: dict[str, Any], sign: Sign
) -> None:
    sign(radiologist, **shared)
    sign(radiologist, **shared)  # the same images, read once more
    first, again = ({line["study"] for line in lines_of(services, reader)[:-1]} for _ in range(2))
    other = {line["study"] for line in lines_of(services, reader, b"x" * 32)[:-1]}
    assert first == again
    assert len(first) == len(other) == 1
    assert first != other


def test_only_signed_reports_of_studies_that_the_researcher_may_see(
    services: Services, radiologist: Actor, reader: Actor, shared: dict[str, Any], sign: Sign
) -> None:
    sign(radiologist)  # of another group
    sign(radiologist, status=ReportStatus.DRAFT, **shared)
    sign(radiologist, status=ReportStatus.AMENDED, **shared)
    sign(radiologist, is_sample=True, **shared)
    assert [line["kind"] for line in lines_of(services, reader)] == ["summary"]


def test_counts_by_condition(
    services: Services, radiologist: Actor, reader: Actor, shared: dict[str, Any], sign: Sign
) -> None:
    sign(radiologist, **shared)
    with services.database.read() as session:
        counts = dict(counts_by_condition(collect_corrections(session, reader, KEY)))
    assert sum(sum(row.values()) for row in counts.values()) == 3
    assert all(set(row) == {"accept", "edit", "reject"} for row in counts.values())


def test_the_tables_are_read_by_the_grading_task(
    services: Services, radiologist: Actor, reader: Actor, shared: dict[str, Any], sign: Sign, tmp_path: Path
) -> None:
    sign(radiologist, **shared)
    with services.database.read() as session:
        made = collect_corrections(session, reader, KEY)
    for whose in ("human", "machine"):
        (tmp_path / f"{whose}.csv").write_text(made.grades_csv(whose))
    assert len(list(csv.DictReader(io.StringIO(made.grades_csv("human"))))) == 2
    (done,) = evaluate("grading", tmp_path / "machine.csv", tmp_path / "human.csv").evaluations
    assert len(done.per_case) == 1


def test_the_route_answers_researchers_and_is_audited(
    services: Services, radiologist: Actor, reader: Actor, shared: dict[str, Any], sign: Sign,
    client_of: Callable[..., TestClient],
) -> None:  # fmt: skip
    sign(radiologist, {0: "Normal disc."}, **shared)
    answer = client_of([router], reader).get(ADDRESS)
    assert answer.status_code == 200
    assert "attachment" in answer.headers["content-disposition"]
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert {line["schema"] for line in lines} == {SCHEMA}
    assert client_of([router], reader).get(f"{ADDRESS}?format=references").text.startswith("id,level,side")
    assert client_of([router], reader).get(f"{ADDRESS}?format=xml").status_code == 422
    with services.database.read() as session:
        noted = session.scalars(select(AuditEntry).where(AuditEntry.action == "corrections.export")).all()
    assert [entry.actor for entry in noted] == ["reader", "reader"]
    assert noted[0].details == {"studies": 1, "findings": 3, "sentences": 1, "dropped": 0}


def test_other_roles_and_strangers_get_nothing(
    services: Services, radiologist: Actor, administrator: Actor, client_of: Callable[..., TestClient]
) -> None:
    assert client_of([router], None).get(ADDRESS).status_code == 401
    for actor in (radiologist, administrator, replace(radiologist, role=Role.ADMINISTRATOR)):
        assert client_of([router], actor).get(ADDRESS).status_code == 403
