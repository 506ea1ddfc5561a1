"""One grade's saliency as files, and the command that writes them."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anatomy import CONDITIONS, SIJ, Condition, Side
from grading.saliency import Saliency, SaliencyMethod
from grading.types import Findings
from pipeline import Reading, ReadOptions
from pipeline.saliency import GradeExplanation, explain_reading, find_grade, render_saliency, write_explanation
from runtime.errors import ConfigError
from tests.pipeline.fakes import COLUMNS, ROWS, fake_reader


@pytest.fixture(scope="module")
def reading() -> Reading:
    *_, last = fake_reader().read(Path("scan.png"), ReadOptions())
    assert isinstance(last, Reading)
    return last


@pytest.fixture
def saliency() -> Saliency:
    heat = np.zeros((ROWS, COLUMNS), np.float32)
    heat[140:160, 50:70] = 1.0
    focused = heat.copy()
    focused[150:] = 0
    return Saliency(
        grade_id="g14",
        level="L4-L5",
        side=None,
        view="midline",
        series_id="S1",
        slice_index=0,
        method=SaliencyMethod.HIRES_CAM,
        target="log-odds of present",
        map=heat,
        focused_map=focused,
        energy_share=0.5,
        area_share=0.2,
        level_share=0.9,
        window_share=1.0,
        structures=("disc", "spinal_canal"),
        region="disc, spinal canal",
        outlined_on="S1",
        reason=None,
        box_px=(30.0, 120.0, 110.0, 180.0),
        cell_px=(13.0, 13.0),
    )


def orange(picture: np.ndarray) -> np.ndarray:
    return picture[..., 0].astype(int) - picture[..., 2] > 60


def test_a_picture_shows_slice_heat_and_region(reading: Reading, saliency: Saliency) -> None:
    grade = find_grade(reading.findings, "disc_bulging@L4-L5")
    png = render_saliency(saliency, grade, reading.study)
    picture = np.asarray(Image.open(io.BytesIO(png)))
    slice_only, heat, focused = (orange(picture[52:-26, k * 440 : (k + 1) * 440]).sum() for k in range(3))
    assert slice_only == 0
    assert heat > 1000
    assert focused == pytest.approx(heat / 2, rel=0.1)
    assert render_saliency(saliency, grade, reading.study) == png
    without = render_saliency(replace(saliency, focused_map=None, reason="no outlines"), grade, reading.study)
    assert Image.open(io.BytesIO(without)).width == 2 * 440


def test_files_name_the_grade_the_shares_and_the_picture(
    reading: Reading, saliency: Saliency, tmp_path: Path
) -> None:
    grade = find_grade(reading.findings, "disc_bulging@L4-L5")
    files = write_explanation(GradeExplanation(grade, (saliency,)), reading.study, tmp_path)
    assert [file.name for file in files] == ["saliency_S1.png", "saliency.json"]
    content = json.loads(files[-1].read_text(encoding="utf-8"))
    assert content["schema"] == "spinescribe.saliency/1"
    assert content["grade"]["condition"] == "disc_bulging"
    (item,) = content["saliency"]
    assert (item["picture"], item["energy_share"], item["area_share"]) == ("saliency_S1.png", 0.5, 0.2)


def test_a_grade_is_found_by_condition_and_level(reading: Reading) -> None:
    assert find_grade(reading.findings, "disc_bulging@l4/5").id == "g14"
    measured = find_grade(reading.findings, "modic@L4-L5")
    learnt = replace(measured, id="g99", probabilities={"0": 1.0})
    both = replace(reading.findings, grades=(*reading.findings.grades, learnt))
    assert find_grade(both, "modic@L4-L5").id == "g99"


@pytest.mark.parametrize("place", ["disc_bulging", "disc_bulging@", "disc_bulging@L9-L10", "warts@L4-L5"])
def test_what_is_no_place(reading: Reading, place: str) -> None:
    with pytest.raises(ConfigError, match="--grade: expected CONDITION@LEVEL such as disc_herniation@L4-L5"):
        find_grade(reading.findings, place)


def sided(reading: Reading, *places: tuple[Condition, str | None, Side | None]) -> Findings:
    """Return a reading's findings with grades at these places; ids are x1, x2 ..."""
    like = next(item for item in reading.findings.grades if item.probabilities or item.grade)
    grades = [
        replace(
            like, id=f"x{number}", condition=condition, level=level, side=side, scale=condition_scale(condition)
        )
        for number, (condition, level, side) in enumerate(places, start=1)
    ]
    return replace(reading.findings, grades=(*reading.findings.grades, *grades))


def condition_scale(condition: Condition) -> str:
    return CONDITIONS[condition].scales[0]


def test_a_grade_by_side_is_found_by_its_side(reading: Reading) -> None:
    foramen = Condition.NEURAL_FORAMINAL_NARROWING
    found = sided(reading, (foramen, "L2-L3", Side.LEFT), (foramen, "L2-L3", Side.RIGHT))
    assert find_grade(found, "neural_foraminal_narrowing@L2-L3:right").id == "x2"
    assert find_grade(found, "neural_foraminal_narrowing@L2/3:LEFT").id == "x1"
    with pytest.raises(ConfigError, match=r"at L2-L3: expected :left or :right behind the level, got 'neural_"):
        find_grade(found, "neural_foraminal_narrowing@L2-L3")
    with pytest.raises(
        ConfigError, match="at L4-L5: expected no side behind the level, got 'disc_bulging@L4-L5:left'"
    ):
        find_grade(found, "disc_bulging@L4-L5:left")
    with pytest.raises(ConfigError, match="expected CONDITION@LEVEL such as"):
        find_grade(found, "disc_bulging@L4-L5:up")


def test_the_joints_have_a_status_and_two_stages(reading: Reading) -> None:
    joints = Condition.SACROILIITIS
    found = sided(reading, (joints, None, None), (joints, SIJ, Side.LEFT), (joints, SIJ, Side.RIGHT))
    places = ("sacroiliitis@SIJ", "sacroiliitis@sij:left", "sacroiliitis@SIJ:right")
    assert [find_grade(found, place).id for place in places] == ["x1", "x2", "x3"]
    with pytest.raises(ConfigError, match="sacroiliitis was not looked for at L4-L5"):
        find_grade(found, "sacroiliitis@L4-L5")


def test_windows_of_one_series_have_files_of_their_own(
    reading: Reading, saliency: Saliency, tmp_path: Path
) -> None:
    grade = find_grade(reading.findings, "disc_bulging@L4-L5")
    windows = [replace(saliency, view="recess_t2", side=side) for side in Side]
    files = write_explanation(GradeExplanation(grade, (saliency, *windows)), reading.study, tmp_path)
    assert [file.name for file in files[:-1]] == [
        "saliency_S1.png",
        "saliency_S1_recess_t2_left_000.png",
        "saliency_S1_recess_t2_right_000.png",
    ]
    content = json.loads(files[-1].read_text(encoding="utf-8"))
    assert [(item["view"], item["side"]) for item in content["saliency"]] == [
        ("midline", None),
        ("recess_t2", "left"),
        ("recess_t2", "right"),
    ]


def test_a_level_that_was_not_graded(reading: Reading) -> None:
    with pytest.raises(
        ConfigError, match="disc bulge was not looked for at T11-T12; levels of this reading: L1-L2"
    ):
        find_grade(reading.findings, "disc_bulging@T11-T12")


def test_a_grader_without_a_network(reading: Reading) -> None:
    with pytest.raises(ConfigError, match="the grader of lumbar has no network to explain"):
        explain_reading(fake_reader(), reading, "disc_bulging@L4-L5")
