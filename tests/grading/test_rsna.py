"""The challenge's folder: made-up rows in the published layout."""

from pathlib import Path

import pytest

from anatomy import Condition, Side
from grading.training.rsna import RsnaPoint, read_rsna
from runtime.errors import ConfigError

HEADER = (
    "study_id,spinal_canal_stenosis_l4_l5,left_neural_foraminal_narrowing_l5_s1,right_subarticular_stenosis_l1_l2"
)
POINTS = "study_id,series_id,instance_number,condition,level,x,y"
SERIES = "study_id,series_id,series_description"


def folder_of(
    path: Path,
    *,
    train: str = "7,Severe,Normal/Mild,\n9,,Moderate,Severe",
    points: str = (
        "7,11,8,Spinal Canal Stenosis,L4/L5,120.5,200.25\n9,12,3,Right Subarticular Stenosis,L1/L2,10,20"
    ),
    series: str = "7,11,Sagittal T2/STIR\n7,13,Sagittal T1\n9,12,Axial T2",
) -> Path:
    for name, head, body in (
        ("train.csv", HEADER, train),
        ("train_label_coordinates.csv", POINTS, points),
        ("train_series_descriptions.csv", SERIES, series),
    ):
        (path / name).write_text(f"{head}\n{body}\n", encoding="utf-8")
    return path


def test_labels_points_and_series_are_read_by_study(tmp_path: Path) -> None:
    first, second = read_rsna(folder_of(tmp_path))
    canal = (Condition.SPINAL_CANAL_STENOSIS, None, "L4-L5")
    assert first.study == "7"
    assert first.grades == {
        canal: "severe",
        (Condition.NEURAL_FORAMINAL_NARROWING, Side.LEFT, "L5-S1"): "normal_mild",
    }
    assert first.points == {canal: RsnaPoint("11", 8, 120.5, 200.25)}
    assert first.series == {"11": "sagittal_t2", "13": "sagittal_t1"}
    assert first.file_of(first.points[canal]) == tmp_path / "train_images" / "7" / "11" / "8.dcm"
    assert second.grades[Condition.SUBARTICULAR_STENOSIS, Side.RIGHT, "L1-L2"] == "severe"
    assert (Condition.SPINAL_CANAL_STENOSIS, None, "L4-L5") not in second.grades, "an empty cell is no grade"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": "7,Terrible,,"}, r"train.csv: expected a graded column .* got 'spinal_canal_stenosis_l4_l5'"),
        ({"points": "7,11,8,Sore Back,L4/L5,1,2"}, "train_label_coordinates.csv: expected a condition and level"),
        ({"points": "7,11,8,Spinal Canal Stenosis,L4/L9,1,2"}, "got 'Spinal Canal Stenosis' at 'L4/L9'"),
        ({"points": "7,11,eight,Spinal Canal Stenosis,L4/L5,1,2"}, "study 7: expected numbers"),
        ({"series": "7,11,Coronal PD"}, "expected a description among Sagittal T1"),
    ],
)
def test_values_that_were_never_published_are_named(tmp_path: Path, change: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_rsna(folder_of(tmp_path, **change))


def test_a_missing_table_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train_label_coordinates.csv: expected a table"):
        read_rsna(tmp_path)
    folder_of(tmp_path)
    (tmp_path / "train_series_descriptions.csv").write_text("study_id,series_id\n7,11\n")
    with pytest.raises(ConfigError, match="missing series_description"):
        read_rsna(tmp_path)
