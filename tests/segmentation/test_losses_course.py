"""The picture of a run: every curve drawn is a column of the log."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime.errors import ConfigError
from segmentation.training.course import curves_of, draw_course, plot_course, read_log

HEADER = "step,rate,tversky,cross_entropy,level,recall_disc,recall_spinal_canal"
HEADER += ",precision_disc,precision_spinal_canal,beta_disc,beta_spinal_canal"
ROWS = (
    "40,0.001,0.9,0.3,2.0,0.20,nan,0.10,nan,0.70,0.50",
    "80,0.002,0.7,0.2,1.5,0.40,nan,0.30,nan,0.70,0.50",
    "120,0.001,0.5,0.1,1.0,0.60,nan,0.50,nan,0.65,0.50",
)


def write_log(folder: Path, *rows: str, header: str = HEADER) -> Path:
    file = folder / "log.csv"
    file.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return file


def test_each_curve_is_a_column_of_the_log(tmp_path: Path) -> None:
    figure = draw_course(read_log(write_log(tmp_path, *ROWS)))
    drawn = {
        panel.get_ylabel(): {str(line.get_label()): list(line.get_ydata()) for line in panel.lines}
        for panel in figure.axes
    }
    assert drawn == {
        "soft recall": {"disc": [0.2, 0.4, 0.6]},  # nothing for a class that was never seen
        "soft precision": {"disc": [0.1, 0.3, 0.5]},
        "beta (cost of a missed pixel)": {"disc": [0.7, 0.7, 0.65], "spinal_canal": [0.5, 0.5, 0.5]},
        "terms of the loss": {"tversky": [0.9, 0.7, 0.5], "cross_entropy": [0.3, 0.2, 0.1], "level": [2, 1.5, 1]},
    }
    assert all(list(line.get_xdata()) == [40, 80, 120] for panel in figure.axes for line in panel.lines)


def test_picture_is_written_with_ink_in_it(tmp_path: Path) -> None:
    png = tmp_path / "pictures" / "course.png"
    assert plot_course(write_log(tmp_path, *ROWS), png) == png
    grey = np.asarray(Image.open(png).convert("L"))
    assert 0.005 < (grey < 200).mean() < 0.5


def test_a_step_written_twice_by_a_resumed_run_counts_as_written_last(tmp_path: Path) -> None:
    again = ROWS[1].replace("0.40", "0.45")
    table = read_log(write_log(tmp_path, ROWS[0], ROWS[1], ROWS[2], again))
    assert table["step"] == [40, 80, 120]
    assert table["recall_disc"] == [0.2, 0.45, 0.6]
    assert all(math.isnan(value) for value in table["recall_spinal_canal"])


def test_log_without_an_epoch_draws_nothing(tmp_path: Path) -> None:
    png = tmp_path / "course.png"
    assert plot_course(write_log(tmp_path), png) is None
    assert not png.exists()


def test_a_term_is_whatever_belongs_to_no_class() -> None:
    names = HEADER.split(",")
    assert list(curves_of("loss", names)) == ["tversky", "cross_entropy", "level"]
    assert curves_of("beta", names) == {"disc": "beta_disc", "spinal_canal": "beta_spinal_canal"}


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        ("time,loss", "1,2", r"log\.csv: expected a training log with a column 'step'"),
        ("step,rate,tversky", "1,2,3", r"log\.csv: expected a training log with a column 'recall'"),
        (HEADER, "40,0.001", r"log\.csv, line 2: expected 11 values, got 2"),
        (HEADER, ROWS[0].replace("0.9", "?"), r"log\.csv, line 2: expected numbers"),
    ],
)
def test_a_file_that_is_no_log_is_named(tmp_path: Path, header: str, row: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        plot_course(write_log(tmp_path, row, header=header), tmp_path / "course.png")


def test_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.csv").touch()
    with pytest.raises(ConfigError, match=r"log\.csv: expected a training log"):
        plot_course(tmp_path / "log.csv", tmp_path / "course.png")
