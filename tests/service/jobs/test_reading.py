"""The service's own reader with the shipped weights: a picture goes in, a reading and its files come out."""

import io

import pytest
from PIL import Image

from imaging.phantom import phantom_picture
from runtime.errors import ConfigError
from service.accounts.actor import Actor
from service.jobs.reading import read_options
from service.jobs.worker import WorkerOptions
from service.services import Services
from service.store.tables import StudyReport
from tests.built_phantoms import built_phantom
from tests.service.jobs.steps import accept, readings_of, study_of, work


@pytest.mark.slow
@pytest.mark.weights
def test_a_phantom_picture_is_read_end_to_end(services: Services, radiologist: Actor) -> None:
    stream = io.BytesIO()
    Image.fromarray(phantom_picture(built_phantom("lumbar"))).save(stream, "PNG")
    options = {"protocol": "lumbar", "spacing": "0.73", "writer": "composer"}
    study_id = accept(services, radiologist, stream.getvalue(), options=options)
    work(services, WorkerOptions(is_once=True, sweep_s=1.0))
    study = study_of(services, study_id)
    assert (study.status, study.error_message) == ("ready", None)
    (reading,) = readings_of(services, study_id)
    names = {file.name for file in reading.files}
    assert {"reading.json", "report.md", "report.html", "overlay.png", "label_map.png", "viewer.json"} <= names
    assert reading.writer == "composer"
    assert reading.document["study"]["series"][0]["spacing_mm"][:2] == [0.73, 0.73]
    with services.database.read() as session:
        assert session.get_one(StudyReport, study_id).current == reading.document["report"]["sections"]


def test_options_of_a_form_become_those_of_the_pipeline() -> None:
    options = read_options({"protocol": "auto", "spacing": "0.5", "anchor": "L5-S1=10,20", "writer": "composer"})
    assert options.spacing is not None
    assert (options.spacing.row_mm, options.anchor, options.writer.value) == (
        0.5, ("L5-S1", (10.0, 20.0)), "composer",
    )  # fmt: skip
    assert read_options({}).protocol == "auto"
    with pytest.raises(ConfigError, match="spacing"):
        read_options({"spacing": "wide"})
