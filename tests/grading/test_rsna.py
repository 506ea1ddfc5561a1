"""The challenge's folder: made-up rows in the published layout."""

from pathlib import Path

import numpy as np
import pytest

from anatomy import Condition, Side
from grading.config import GraderConfig, NetworkConfig
from grading.heads import label_columns
from grading.training.batches import plain_batch
from grading.training.config import PhantomConfig
from grading.training.phantoms import draw_case
from grading.training.rsna import RsnaPoint, read_rsna
from grading.training.rsna_cases import rsna_cases
from runtime.errors import ConfigError

CONFIG = GraderConfig(network=NetworkConfig(views=("foramen_t1", "foramen_t2", "recess_t2")))
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


def _challenge(root: Path, seed: int) -> Path:
    """Write one phantom as a study of the challenge's folder."""
    from imaging.dicom.write import SeriesHeader, StudyHeader, write_mr_series
    from imaging.phantom import build_phantom

    phantom = build_phantom("lumbar", seed=seed)
    study = StudyHeader("made up", "P", phantom.sex, phantom.age_years, "", "LSPINE", "20260101")
    points, names = [], {"sagittal_t1": "Sagittal T1", "sagittal_t2": "Sagittal T2/STIR", "axial_t2": "Axial T2"}
    for number, series in enumerate(phantom.series, 1):
        folder = root / "train_images" / "7" / str(number)
        header = SeriesHeader(number, names[series.role], 3000.0, 100.0, 150.0, 10, 1.5, 4.0, 4.0, 0.0, 200.0)
        for k, file in enumerate(
            write_mr_series(series.array, series.affine, study=study, series=header, folder=folder)
        ):
            file.rename(folder / f"{k + 1}.dcm")
        if series.role == "sagittal_t2":
            for level in phantom.levels[2:]:
                x, y, z = level.posterior_ras_mm
                i, j, k = (np.linalg.inv(series.affine) @ [x, y - 6.0, z, 1.0])[:3]
                name = level.name.replace("-", "/")
                points.append(f"7,{number},{round(k) + 1},Spinal Canal Stenosis,{name},{i:.2f},{j:.2f}")
    rows = [f"7,{number},{names[item.role]}" for number, item in enumerate(phantom.series, 1)]
    return folder_of(root, train="7,Severe,Moderate,Normal/Mild", points="\n".join(points), series="\n".join(rows))


@pytest.mark.slow
def test_a_study_of_the_challenge_becomes_a_case_that_can_be_trained_on(tmp_path: Path) -> None:
    (case,) = rsna_cases(_challenge(tmp_path, 299_980), CONFIG)
    assert case.patient == 7
    columns, levels = label_columns(CONFIG.heads), CONFIG.network.levels
    assert case.labels[levels.index("L4-L5"), columns["spinal_canal_stenosis"][0]] == 2
    assert case.labels[levels.index("L5-S1"), columns["neural_foraminal_narrowing"][0]] == 1
    assert case.labels[levels.index("L1-L2"), columns["subarticular_stenosis"][1]] == 0
    assert (case.labels >= 0).sum() == 3
    batch = plain_batch([case], CONFIG)
    assert batch.present[0, 2:].all()
    assert batch.windows_present[0, 2:].all()
    drawn = draw_case(299_980, CONFIG, PhantomConfig(patients=1, varied_share=0.0))
    assert drawn is not None
    truth = plain_batch([drawn], CONFIG)
    likeness = [
        np.corrcoef(batch.crops[0, row, 0].ravel(), truth.crops[0, row, 0].ravel())[0, 1] for row in range(2, 7)
    ]
    assert min(likeness) > 0.5, "the same crops as at the true points"


def test_a_folder_without_a_usable_study_is_refused(tmp_path: Path) -> None:
    folder_of(
        tmp_path, train="7,Severe,,", points="7,11,8,Left Subarticular Stenosis,L4/L5,1,2", series="7,11,Axial T2"
    )
    with pytest.raises(ConfigError, match="expected studies that can be trained on, found none of 1"):
        rsna_cases(tmp_path, CONFIG)
