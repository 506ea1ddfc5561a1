"""What tests of the review share: a study of the phantom, and one of two findings that is quick to change."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from service.accounts.actor import Actor
from service.review import decisions
from service.review.case import Case
from service.review.change import open_case
from service.services import Services
from service.store.words import Verdict
from tests.service.conftest import add_study


@dataclass
class Desk:
    """A reader at a report: each step names the version that stands."""

    services: Services
    actor: Actor
    study_id: str

    @property
    def case(self) -> Case:
        return open_case(self.services, self.actor, self.study_id)

    def decide(self, verdict: Verdict, *finding_ids: str, grade: str | None = None) -> Case:
        version = self.case.version
        return decisions.decide(
            self.services, self.actor, self.study_id, version, finding_ids, verdict, grade=grade
        )

    def texts(self, section: str = "findings") -> list[str]:
        return [row.text for item in self.case.current if item.name == section for row in item.visible]


@pytest.fixture
def desk(services: Services, radiologist: Actor, document: dict[str, Any]) -> Desk:
    with services.database.begin() as session:
        study, _ = add_study(session, radiologist, document)
        return Desk(services, radiologist, study.id)


@pytest.fixture(scope="session")
def small_document(document: dict[str, Any]) -> dict[str, Any]:
    """Return a reading of one level with two findings: Pfirrmann V, and severe stenosis, which is critical."""
    small = copy.deepcopy(document)
    small["grades"] = [row for row in small["grades"] if row["id"] in ("g71", "g75")]
    small["grades"][1] |= {"grade": "severe", "prediction_set": ["severe"], "probabilities": {"severe": 1.0}}
    small["measurements"] = [row for row in small["measurements"] if row["id"] == "m87"]
    small["levels"] = [row for row in small["levels"] if row["name"] == "L4-L5"]
    small["burden"] |= {"terms": [{"grade": "g71", "points": 4.0}, {"grade": "g75", "points": 9.0}]}
    small["report"]["sections"] = [
        _section("technique", ("MRI of the lumbar spine: sagittal T2 read.", [])),
        _section(
            "findings",
            ("L4-L5: Pfirrmann grade V disc degeneration.", ["g71"]),
            ("Severe spinal canal stenosis (canal AP diameter 6.5 mm).", ["g75", "m87"]),
        ),
        _section(
            "impression",
            (
                "Critical: suspected cauda equina crowding with severe spinal canal stenosis at L4-L5; correlate "
                "for cauda equina symptoms.",
                ["g75"],
            ),
            ("L4-L5: Pfirrmann grade V disc degeneration.", ["g71"]),
        ),
    ]
    return small


@pytest.fixture
def small_desk(services: Services, radiologist: Actor, small_document: dict[str, Any]) -> Desk:
    with services.database.begin() as session:
        study, _ = add_study(session, radiologist, small_document)
        return Desk(services, radiologist, study.id)


@pytest.fixture
def new_desk(services: Services, radiologist: Actor, small_document: dict[str, Any]) -> Callable[[], Desk]:
    """Return a maker of desks at new studies of the small reading."""

    def build() -> Desk:
        with services.database.begin() as session:
            study, _ = add_study(session, radiologist, small_document)
            return Desk(services, radiologist, study.id)

    return build


def _section(name: str, *sentences: tuple[str, list[str]]) -> dict[str, Any]:
    rows = [
        {"text": text, "finding_ids": ids, "source": "composer", "status": "supported", "replaced_text": None}
        for text, ids in sentences
    ]
    return {"name": name, "sentences": rows}
