"""The story: order of steps, what is kept, what stops it, who writes when the language model does not."""

import threading
from pathlib import Path

import pytest

from anatomy import Protocol, load_protocol
from imaging.types import Spacing
from pipeline import Reader, Reading, ReadOptions, Writer
from pipeline.document import reading_to_dict
from pipeline.drafting import FAILED, NO_MODEL, TOO_SLOW
from pipeline.stages import Models, check_device, is_installed, load_models
from reporting.types import SentenceSource
from runtime.errors import ConfigError, NotEligibleError, StudyError, WeightsError
from runtime.progress import Progress
from tests.pipeline.fakes import (
    FailingDrafter,
    FakeDrafter,
    FakeGrader,
    FakeSegmenter,
    StuckDrafter,
    fake_reader,
    fake_stages,
)

PICTURE = Path("scan.png")


def read(reader: Reader, path: Path = PICTURE, options: ReadOptions | None = None) -> Reading:
    *progress, reading = reader.read(path, options)
    assert all(isinstance(event, Progress) for event in progress)
    assert isinstance(reading, Reading)
    return reading


def sources(reading: Reading) -> set[SentenceSource]:
    return {sentence.source for section in reading.report.sections for sentence in section.sentences}


def test_progress_tells_the_story_in_order_and_ends_with_the_reading() -> None:
    events = list(fake_reader().read(PICTURE))
    steps = [event for event in events if isinstance(event, Progress)]
    assert [step.stage for step in steps] == [
        "imaging", "models", "segmentation", "grading", "drafting", "verifying", "overlay", "done",
    ]  # fmt: skip
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0
    assert isinstance(events[-1], Reading)


def test_reading_keeps_what_every_stage_made() -> None:
    reading = read(fake_reader(), options=ReadOptions(spacing=Spacing(0.5, 0.5)))
    assert reading.study.series[0].volume.spacing == Spacing(0.5, 0.5)
    assert [level.name for level in reading.segmented.levels] == [level.name for level in reading.findings.levels]
    assert reading.primary_series.id == "S1"
    assert sources(reading) == {SentenceSource.VLM}
    assert reading.overlay_png.startswith(b"\x89PNG")
    assert reading.provenance.weights == {
        "segmentation": "segmenter-sum", "grading": "grader-sum", "vlm": "drafter-sum",
    }  # fmt: skip
    assert reading.provenance.prompts == {
        "spinal_canal_stenosis": "canal_ap_verbiest/1", "burden": "burden/1", "phrases": "phrases/1",
        "vlm": "prompt/1", "vlm_regions": "used",
    }  # fmt: skip
    assert set(reading.timings_s) == {
        "imaging", "models", "segmentation", "grading", "drafting", "verifying", "overlay",
    }  # fmt: skip
    assert all(seconds >= 0 for seconds in reading.timings_s.values())


def test_notices_come_once_each_in_the_order_of_the_stages() -> None:
    reading = read(fake_reader())
    assert reading.notices == (
        "the sequence is assumed to be T2",
        "the sacrum is not segmented",
        "Modic changes need T1 and T2",
    )


def test_the_precision_of_the_network_is_part_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = read(fake_reader()).provenance.config_hash
    monkeypatch.setattr(FakeSegmenter, "precision", "bfloat16")
    assert read(fake_reader()).provenance.config_hash != plain
    monkeypatch.setattr(FakeSegmenter, "precision", "float32")
    assert read(fake_reader()).provenance.config_hash == plain


def test_same_input_gives_the_same_provenance_and_picture() -> None:
    first, second = read(fake_reader()), read(fake_reader())
    assert first.overlay_png == second.overlay_png
    assert first.provenance == second.provenance


def test_options_change_the_configuration_hash() -> None:
    plain = read(fake_reader())
    spaced = read(fake_reader(), options=ReadOptions(spacing=Spacing(0.5, 0.5)))
    assert plain.provenance.config_hash != spaced.provenance.config_hash


@pytest.mark.parametrize(
    ("drafter", "notice"), [(FailingDrafter(), FAILED), (None, NO_MODEL)], ids=["fails", "absent"]
)
def test_composer_writes_when_the_language_model_cannot(drafter: FakeDrafter | None, notice: str) -> None:
    reading = read(Reader(fake_stages(drafter=drafter)))
    assert sources(reading) == {SentenceSource.COMPOSER}
    assert reading.notices[-1] == notice
    assert "vlm" not in reading.provenance.weights


def test_slow_language_model_is_left_behind_and_used_again_when_it_ends() -> None:
    drafter = StuckDrafter()
    reader = fake_reader(drafter)
    quick = ReadOptions(draft_seconds=0.05)
    assert read(reader, options=quick).notices[-1] == TOO_SLOW
    # While the first draft still runs, no second one is started beside it.
    assert read(reader, options=quick).notices[-1] == TOO_SLOW
    assert drafter.calls == 1
    drafter.release.set()
    for thread in threading.enumerate():
        if thread.name == "spinescribe-draft":
            thread.join(10)
    reading = read(reader, options=ReadOptions(draft_seconds=10))
    assert sources(reading) == {SentenceSource.VLM}
    assert drafter.calls == 2


def test_language_model_gets_regions_only_of_the_network_it_was_trained_on() -> None:
    drafter = FakeDrafter()
    read(fake_reader(drafter), options=ReadOptions(style="narrative"))
    assert (drafter.regions_seen, drafter.style_seen) == (5, "narrative")
    drafter.segmentation_checksum = "of-older-weights"
    reading = read(fake_reader(drafter))
    assert drafter.regions_seen == 0
    assert reading.provenance.prompts["vlm_regions"] == "left out"
    assert sources(reading) == {SentenceSource.VLM}


def test_composer_can_be_asked_for() -> None:
    reading = read(fake_reader(), options=ReadOptions(writer=Writer.COMPOSER))
    assert sources(reading) == {SentenceSource.COMPOSER}
    assert NO_MODEL not in reading.notices
    assert "vlm" not in reading.provenance.weights


def test_anchor_reaches_the_segmenter() -> None:
    segmenter = FakeSegmenter()
    stages = fake_stages(load_models=lambda protocol: Models(segmenter, FakeGrader(), FakeDrafter()))
    reading = read(Reader(stages), options=ReadOptions(anchor=("L4-L5", (60.0, 150.0))))
    assert segmenter.anchors == [("L4-L5", (60.0, 150.0))]
    assert reading.anchor == ("L4-L5", (60.0, 150.0))
    assert read(fake_reader()).anchor is None


def test_models_are_loaded_once_for_many_studies() -> None:
    loaded: list[str] = []

    def load(protocol: Protocol) -> Models:
        loaded.append(protocol.name)
        return Models(FakeSegmenter(), FakeGrader(), FakeDrafter())

    reader = Reader(fake_stages(load_models=load))
    read(reader)
    read(reader)
    assert loaded == ["lumbar"]


def test_unreadable_study_stops_before_any_model_is_loaded() -> None:
    def load(protocol: Protocol) -> Models:
        raise AssertionError("no model is needed for a file that is no study")

    reader = Reader(fake_stages(load_models=load))
    with pytest.raises(StudyError, match="expected an image"):
        list(reader.read(Path("broken.png")))
    with pytest.raises(NotEligibleError, match="black") as caught:
        list(reader.read(Path("black.png")))
    assert caught.value.code == "black"


def test_study_without_spine_is_not_eligible() -> None:
    with pytest.raises(NotEligibleError, match="no spine") as caught:
        list(fake_reader().read(Path("nospine.png")))
    assert caught.value.code == "no_spine_found"


@pytest.mark.parametrize(("name", "code"), [("coarse.png", "too_coarse"), ("nospine.png", "no_spine_found")])
def test_an_override_reads_a_refused_study_and_says_so(
    name: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NotEligibleError):
        list(fake_reader().read(Path(name)))
    reading = read(fake_reader(), Path(name), ReadOptions(override="seen by a radiologist"))
    assert not reading.eligibility.is_eligible
    assert reading.eligibility.override == "seen by a radiologist"
    assert [item.code for item in reading.eligibility.refusals] == [code]
    assert reading.alert is not None
    assert reading.notices[0] == reading.alert
    assert "seen by a radiologist" in reading.alert
    assert reading.eligibility.reasons[0] in reading.alert
    assert f"read although not eligible ({code})" in caplog.text
    assert "radiologist" not in caplog.text
    block = reading_to_dict(reading)["eligibility"]
    assert block["overridden"] == {"reason": "seen by a radiologist", "codes": [code]}
    assert ("ood" in block) == (code == "no_spine_found")


def test_an_override_does_not_help_where_nothing_can_be_computed() -> None:
    with pytest.raises(NotEligibleError, match="An override does not help") as caught:
        list(fake_reader().read(Path("black.png"), ReadOptions(override="please")))
    assert caught.value.code == "black"


def test_an_override_that_was_not_needed_is_said_to_be_so() -> None:
    reading = read(fake_reader(), options=ReadOptions(override="to be safe"))
    assert reading.eligibility.is_eligible
    assert reading.alert is None
    assert "An override was given and not needed: the study is eligible." in reading.notices
    assert reading_to_dict(reading)["eligibility"] == {"eligible": True, "reasons": []}


def test_missing_weights_name_the_protocol(tmp_path: Path) -> None:
    lumbar = load_protocol("lumbar")
    with pytest.raises(NotEligibleError, match=r"protocol lumbar: its segmentation weights") as caught:
        load_models(lumbar, weights_root=tmp_path)
    assert caught.value.code == "weights_not_installed"
    (tmp_path / "segmentation").mkdir()
    assert is_installed(lumbar, "segmentation", tmp_path)
    with pytest.raises(NotEligibleError, match="its grading weights"):
        load_models(lumbar, weights_root=tmp_path)


class Loads:
    """Stands in for a model class: loads a made-up model, or fails as damaged weights do."""

    def __init__(self, model: object | None) -> None:
        self._model = model

    def load(self, *, weights_root: Path, name: str, device: str, axial_name: str | None = None) -> object:
        if self._model is None:
            raise WeightsError(f"weights {name!r}: model.safetensors is missing")
        return self._model


def install(monkeypatch: pytest.MonkeyPatch, root: Path, drafter: object | None) -> None:
    for room, name, folder, model in (
        ("segmentation", "Segmenter", "segmentation", FakeSegmenter()),
        ("vlm", "Drafter", "spine-tiny", drafter),
    ):
        (root / folder).mkdir()
        monkeypatch.setattr(f"{room}.{name}", Loads(model))
    for folder in ("grading", "grading-cervical", "grading-sacroiliac"):
        (root / folder).mkdir()
    monkeypatch.setattr("grading.load_grader", Loads(FakeGrader()).load)


def test_models_are_loaded_by_the_names_of_the_protocol(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, FakeDrafter())
    models = load_models(load_protocol("lumbar"), weights_root=tmp_path, device="cpu")
    assert models.checksums() == {
        "segmentation": "segmenter-sum", "grading": "grader-sum", "vlm": "drafter-sum",
    }  # fmt: skip
    assert models.drafter_knows_regions


def test_damaged_language_model_is_left_out_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch, tmp_path, None)
    models = load_models(load_protocol("lumbar"), weights_root=tmp_path, device="cpu")
    assert models.drafter is None
    assert not models.drafter_knows_regions
    assert "the language model is left out: weights 'spine-tiny': model.safetensors is missing" in caplog.text


def test_damaged_segmentation_weights_are_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, FakeDrafter())
    monkeypatch.setattr("segmentation.Segmenter", Loads(None))
    with pytest.raises(WeightsError, match=r"model\.safetensors is missing"):
        load_models(load_protocol("lumbar"), weights_root=tmp_path, device="cpu")


@pytest.mark.parametrize(("device", "words"), [("toaster", "expected auto, cpu"), ("cuda", "finds no GPU")])
def test_a_device_that_is_not_there_is_refused(device: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match=words):
        check_device(device)
    check_device("auto")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"protocol": "knee"}, "protocol: expected one of auto"),
        ({"anchor": ("L9", (0.0, 0.0))}, "anchor: expected a disc level"),
        ({"anchor": ("L4-L5", (float("nan"), 0.0))}, "anchor: expected a point in pixels"),
        ({"style": "florid"}, "style: expected one of structured, telegraphic, narrative, patient"),
        ({"draft_seconds": 0.0}, "draft_seconds: expected a time above 0"),
        ({"override": " "}, "override: expected a reason in words on one line"),
        ({"override": "x" * 301}, "up to 300 characters"),
        ({"override": "a\nb"}, "on one line"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ReadOptions(**options)  # type: ignore[arg-type]
