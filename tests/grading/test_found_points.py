"""Which found points may teach: those that agree with reference points, or that the segmentation is sure of."""

from dataclasses import replace
from pathlib import Path

import pytest

from grading.training.found_points import FoundSlice, teaches, write_points
from grading.training.spider import read_found_points
from tests.grading.factories import Points, levels_of

POINTS = {"L2-L3": (100.0, 40.0), "L3-L4": (101.0, 80.0), "L4-L5": (99.0, 120.0), "L5-S1": (96.0, 160.0)}


def _row(file: str, *, size: int = 400, spacing: float = 0.5) -> dict[str, str]:
    text = f"{spacing:g}"
    return {
        "file": file, "patient": file.split("_")[0], "sequence": "t2", "rows": str(size), "cols": str(size),
        "row_spacing_mm": text, "col_spacing_mm": text, "spacing_trusted": "yes",
    }  # fmt: skip


def _found(
    row: dict[str, str], points: Points, *, confidence: float = 0.95, doubt: str | None = None
) -> FoundSlice:
    levels = levels_of(points, doubt=dict.fromkeys(points, doubt) if doubt else None)
    levels = tuple(replace(level, confidence=confidence) for level in levels)
    return FoundSlice(row, 0, levels, None)


def _moved(points: Points, dy: float, scale: float = 1.0) -> Points:
    return {name: ((x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5 + dy) for name, (x, y) in points.items()}


T2, T1 = _row("7_t2.png"), _row("7_t1.png", size=320, spacing=0.625)  # the same field of view, other pixels
FILES = {"7_t2.png": T2, "7_t1.png": T1}
REFERENCE = {"7_t2.png": POINTS}


@pytest.mark.parametrize(("dy", "expected"), [(0.0, True), (10.0, True), (14.0, False), (40.0, False)])
def test_t2_must_agree_with_its_reference_within_a_third_of_a_pitch(dy: float, expected: bool) -> None:
    assert teaches(_found(T2, _moved(POINTS, dy)), FILES, REFERENCE) is expected


@pytest.mark.parametrize(("dy", "expected"), [(0.0, True), (9.0, True), (32.0, False)])
def test_t1_of_the_same_field_is_compared_by_relative_position(dy: float, expected: bool) -> None:
    assert teaches(_found(T1, _moved(POINTS, dy, scale=0.8)), FILES, REFERENCE) is expected


@pytest.mark.parametrize(("confidence", "expected"), [(0.95, True), (0.7, False)])
def test_without_anything_to_compare_confidence_decides(confidence: float, expected: bool) -> None:
    other = _row("7_t1.png", size=500)
    found = _found(other, POINTS, confidence=confidence, doubt="possible transitional anatomy")
    assert teaches(found, FILES | {"7_t1.png": other}, REFERENCE) is expected
    assert teaches(_found(_row("8_t1.png"), POINTS, confidence=confidence), FILES, REFERENCE) is expected


def test_a_refused_slice_teaches_nothing_and_is_written_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "spider").mkdir()
    header = ",".join(T2)
    lines = [",".join(row.values()) for row in (T2, T1)]
    (tmp_path / "spider" / "midsagittal.csv").write_text("\n".join([header, *lines]) + "\n")
    points = [f"7_t2.png,7,{name},{(x + 0.5) / 400},{(y + 0.5) / 400}" for name, (x, y) in POINTS.items()]
    (tmp_path / "spider" / "disc_points.csv").write_text(
        "\n".join(["file,patient,level,relative_x,relative_y", *points]) + "\n"
    )
    refused = FoundSlice(T1, 0, (), "no spine was found")
    file = tmp_path / "points.csv"
    write_points([_found(T2, _moved(POINTS, 40.0)), refused], tmp_path, file)
    assert "7_t1.png,7,0,,,,,no spine was found,no" in file.read_text()
    assert read_found_points(file, teaching_only=True) == {}
    found = read_found_points(file, teaching_only=False)
    assert found["7_t2.png"]["L4-L5"] == (99.0, 160.0)
    assert "7_t1.png" not in found
