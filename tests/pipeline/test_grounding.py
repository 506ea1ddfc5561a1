"""From sentences to boxes inside their images and back, on drawn readings and on the made-up study."""

import io
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from grading.types import Evidence, Findings, GradeStatus
from imaging.types import Spacing
from pipeline import (
    OverlayLayers,
    Reading,
    ReadOptions,
    evidence_of,
    place_of,
    reading_to_dict,
    render_overlay,
    sentences,
    sentences_of,
)
from reporting import compose_report, verify_draft
from reporting.verifier import positive_grades
from tests.pipeline.fakes import COLUMNS, ROWS, fake_reader, fake_segmented, fake_study
from tests.reporting.factories import random_findings

Document = dict[str, Any]


def read(options: ReadOptions | None = None) -> Reading:
    *_, reading = fake_reader().read(Path("scan.png"), options)
    assert isinstance(reading, Reading)
    return reading


def drawn(seed: int) -> tuple[Document, Findings]:
    """Return a reading with random findings, boxes partly past the border, and the findings."""
    rng = Random(seed)
    base = read(ReadOptions(spacing=Spacing(0.6, 0.6)))
    found = random_findings(rng, sided=True)
    grades = tuple(
        replace(grade, evidence=_random_box(rng)) if grade.status is GradeStatus.GRADED else grade
        for grade in found.grades
    )
    levels = tuple(replace(level, slice_index=0) for level in found.levels)
    measurements = tuple(
        replace(item, slice_index=0, line_px=((20.0, 30.0), (20.0, 45.0)) if rng.random() < 0.7 else None)
        for item in found.measurements
    )
    findings = replace(found, grades=grades, levels=levels, measurements=measurements)
    report = verify_draft(compose_report(findings), findings)
    return reading_to_dict(replace(base, findings=findings, report=report)), findings


def _random_box(rng: Random) -> Evidence:
    x, y = rng.uniform(-20, COLUMNS - 5), rng.uniform(-20, ROWS - 5)
    return Evidence("S1", 0, (x, y, x + rng.uniform(30, 60), y + rng.uniform(30, 60)))


def is_inside(box: tuple[float, float, float, float]) -> bool:
    return 0 <= box[0] < box[2] <= COLUMNS - 1 and 0 <= box[1] < box[3] <= ROWS - 1


@pytest.mark.parametrize("seed", range(12))
def test_every_positive_sentence_has_a_box_inside_its_image_or_a_reason(seed: int) -> None:
    document, findings = drawn(seed)
    positive = {grade.id for grade in positive_grades(findings)}
    boxed = 0
    for sentence in sentences(document):
        found = evidence_of(document, sentence)
        assert [item.finding_id for item in found.places] == list(sentence.finding_ids)
        assert (found.reason is None) == bool(found.boxes)
        assert all((item.evidence is None) != (item.reason is None) for item in found.places)
        assert all(is_inside(box.box_px) for box in found.boxes)
        if positive & set(sentence.finding_ids):
            assert found.boxes, sentence.text
            boxed += 1
    assert boxed >= 3


@pytest.mark.parametrize("seed", range(4))
def test_a_positive_finding_leads_back_to_its_sentences(seed: int) -> None:
    document, findings = drawn(seed)
    for grade in positive_grades(findings):
        refs = sentences_of(document, grade.id)
        assert "findings" in {ref.section for ref in refs}
        for ref in refs:
            section = next(item for item in document["report"]["sections"] if item["name"] == ref.section)
            assert section["sentences"][ref.index]["text"] == ref.text
            assert grade.id in section["sentences"][ref.index]["finding_ids"]


def test_reasons_are_given_where_there_is_no_box() -> None:
    document = reading_to_dict(read())
    unknown = next(row for row in document["grades"] if row["status"] == "not_assessable")
    assert place_of(document, unknown["id"]).reason == f"not assessable: {unknown['reason']}"
    first = next(iter(sentences(document)))
    assert first.finding_ids == ()
    assert evidence_of(document, first).reason == "the sentence states no finding"
    graded = next(row for row in document["grades"] if row["status"] == "graded")
    graded["evidence"]["box_px"] = [500.0, 500.0, 600.0, 600.0]
    assert place_of(document, graded["id"]).reason == "its box lies outside the image"
    with pytest.raises(KeyError, match="expected an id of this reading, got 'g999'"):
        sentences_of(document, "g999")


def test_a_measured_line_is_boxed_and_a_value_without_one_has_a_reason() -> None:
    document = reading_to_dict(read(ReadOptions(spacing=Spacing(0.6, 0.6))))
    place = place_of(document, "m1")
    assert place.evidence == Evidence("S1", 0, (61.0, 21.0, 69.0, 39.0))
    document["measurements"][0]["line_px"] = None
    assert "without a place of its own" in str(place_of(document, "m1").reason)


def test_the_overlay_draws_the_boxes_of_its_slice() -> None:
    study = fake_study(Spacing(0.5, 0.5))
    segmented = fake_segmented(study)
    bare = OverlayLayers(structures=False, names=False)
    box = Evidence("S1", 0, (40.0, 30.0, 90.0, 60.0))
    pictures = []
    for boxes in ((), (box, box), (replace(box, slice_index=3),)):
        png = render_overlay(study, segmented, layers=bare, slice_index=0, boxes=boxes)
        with Image.open(io.BytesIO(png)) as picture:
            pictures.append(np.asarray(picture))
    rows, columns = np.nonzero((pictures[0] != pictures[1]).any(axis=2))
    scale = 600 / COLUMNS
    found = (columns.min() / scale, rows.min() / scale, columns.max() / scale, rows.max() / scale)
    assert found == pytest.approx((40.5, 30.5, 90.5, 60.5), abs=0.6)
    assert (pictures[0] == pictures[2]).all(), "a box of another slice is not drawn"
    assert (pictures[1] == (255, 60, 200)).all(axis=2).sum() > 400
