"""Who writes, as a person chose it: what the writer is shown, and what a wrong choice is answered with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anatomy import load_protocol
from grading.types import Findings
from imaging.types import Plane, Spacing
from pipeline import Reader, Reading, ReadOptions, Writer
from pipeline.drafting import BY_RULE
from pipeline.pictures import key_slices
from pipeline.stages import open_stages
from runtime.errors import ConfigError, WriterError
from runtime.settings import load_settings
from tests.pipeline.fakes import FakeDrafter, fake_reader, fake_segmented, fake_study
from vlm.pictures import LONG_SIDE_PX, key_slice
from vlm.writers import WriterChoice


def read(reader: Reader, **options: object) -> Reading:
    *_, reading = reader.read(Path("slice.png"), ReadOptions(**options))  # type: ignore[arg-type]
    assert isinstance(reading, Reading)
    return reading


def test_the_writer_is_shown_the_key_slice() -> None:
    drafter = FakeDrafter()
    read(fake_reader(drafter))
    assert drafter.pictures_seen == 1


def test_key_slices_are_of_sagittal_series_with_levels_the_primary_first() -> None:
    study = fake_study()
    segmented = fake_segmented(study)
    volume = study.series[0].volume
    deep = replace(volume, array=np.repeat(volume.array, 3, axis=2))
    axial = replace(study.series[0], id="S3", plane=Plane.AXIAL)
    other = replace(study.series[0], id="S0", volume=deep)
    bare = replace(study.series[0], id="S4")
    study = replace(study, series=(other, *study.series, axial, bare))
    there = tuple(replace(level, series_id="S0", slice_index=2) for level in segmented.levels[:3])
    stray = (replace(segmented.levels[3], series_id="S0", slice_index=0),)
    levels = {**segmented.series_levels, "S0": stray + there, "S3": segmented.levels}
    shown = key_slices(study, replace(segmented, series_levels=levels))
    assert [(item.series_id, item.slice_index) for item in shown] == [("S1", 0), ("S0", 2)]
    assert shown[0].name == "sagittal t2"


def test_a_key_slice_has_square_pixels_and_no_overlay() -> None:
    series = fake_study(Spacing(row_mm=0.5, col_mm=1.0)).series[0]
    shown = key_slice(series, 0)
    columns, rows, _ = series.volume.shape  # 160 mm across, 120 mm along
    assert shown.grey.shape == (round(LONG_SIDE_PX * rows * 0.5 / columns), LONG_SIDE_PX)
    assert (shown.grey.min(), shown.grey.max()) == (0, 255)
    assert shown.to_image().mode == "RGB"
    with pytest.raises(ValueError, match="slice: expected 0 to 0, got 5"):
        key_slice(series, 5)


class Server(FakeDrafter):
    """Tells where findings go."""

    told = "Findings were sent to nowhere."

    def disclose(self, findings: Findings) -> str | None:
        return self.told


class FailingServer(Server):
    def write_draft(self, *_: object, **__: object) -> object:  # type: ignore[override]
        raise WriterError("the remote writer is busy (status 429)", code="rate_limited")


def test_where_findings_were_sent_is_told_also_when_the_writer_failed() -> None:
    assert Server.told in read(fake_reader(Server())).notices
    reading = read(fake_reader(FailingServer()))  # type: ignore[arg-type]
    assert Server.told in reading.notices
    assert f"The remote writer is busy (status 429); {BY_RULE}." in reading.notices
    composed = read(fake_reader(Server()), writer=Writer.COMPOSER)
    assert Server.told not in composed.notices


def test_the_composer_may_be_the_writer_of_every_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPINESCRIBE_WRITER", "composer")
    reader = Reader.load()
    assert reader._composes
    stages = fake_reader()._stages
    reading = read(Reader(stages, composes=True))
    assert "vlm" not in reading.provenance.weights
    assert not any(BY_RULE in notice for notice in reading.notices)


def test_an_unknown_writer_is_refused_before_any_study(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"writer: expected composer, .* got 'nobody'"):
        Reader.load(writer=WriterChoice("nobody"))
    monkeypatch.setenv("SPINESCRIBE_WRITER", "nobody")
    with pytest.raises(ConfigError, match="got 'nobody'"):
        Reader.load()


@pytest.mark.weights
def test_a_chosen_writer_is_never_left_out_and_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default may be missing, for the composer can write; a writer that someone named may not."""
    root = load_settings().weights_dir
    monkeypatch.delenv("SPINESCRIBE_REMOTE_URL", raising=False)
    stages = open_stages(weights_root=root, device="cpu", writer=WriterChoice("remote", "tiny"))
    with pytest.raises(ConfigError, match="nothing is sent; set SPINESCRIBE_REMOTE_URL"):
        stages.load_models(load_protocol("lumbar"))
    monkeypatch.setenv("SPINESCRIBE_REMOTE_URL", "http://127.0.0.1:9/v1")
    first = stages.load_models(load_protocol("lumbar")).drafter
    assert first is not None
    assert first.checksum == "remote:tiny@127.0.0.1:9"
    assert stages.load_models(load_protocol("lumbar")).drafter is first
