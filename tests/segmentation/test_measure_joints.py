"""Width of the sacroiliac joint space against drawn gaps, leaning in and across the slices; sides."""

import numpy as np
import pytest

from anatomy import load_protocol
from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from segmentation.measure import measure_study
from segmentation.types import LabelMap
from tests.segmentation.block_spine import Table, as_table

PIXEL, SLICE = 0.5, 3.0


def joints(left: float, right: float, *, lean_down: float = 0.0, lean_through: float = 0.0) -> np.ndarray:
    """(I, J, K) labels: two flat joints whose surfaces lean; widths along their normals, mm."""
    i, j, k = np.meshgrid(np.arange(240), np.arange(140), np.arange(8), indexing="ij")
    x, y, z = (119.5 - i) * PIXEL, (69.5 - j) * PIXEL, (k - 3.5) * SLICE  # right, up, front
    stretch = np.sqrt(1 + lean_down**2 + lean_through**2)
    labels = np.zeros(i.shape, dtype=np.uint8)
    for sign, width, label in ((-1, left, 53), (1, right, 54)):
        away = (sign * x - 35.0 - lean_down * y - lean_through * z) / stretch
        labels[(np.abs(away) < width / 2) & (np.abs(y) < 25.0)] = label
    return labels


def measured(labels: np.ndarray, *, has_spacing: bool = True) -> Table:
    affine = np.array([[-PIXEL, 0, 0, 59.75], [0, 0, SLICE, -10.5], [0, -PIXEL, 0, 34.75], [0, 0, 0, 1.0]])
    spacing = Spacing(PIXEL, PIXEL, SLICE) if has_spacing else None
    volume = Volume(labels.astype(np.float32), spacing, affine if has_spacing else None, labels.shape)
    series = Series("S1", "coronal_t1", Plane.CORONAL, Sequence.T1, volume)
    study = Study("key", SourceKind.NIFTI, "sacroiliac", (series,))
    return as_table(measure_study(study, [LabelMap("S1", labels)], (), load_protocol("sacroiliac")))


@pytest.mark.parametrize(("down", "through"), [(0.0, 0.0), (0.3, 0.0), (0.2, 0.5)])
def test_width_is_that_along_the_normal_however_the_joint_leans(down: float, through: float) -> None:
    table = measured(joints(2.0, 4.0, lean_down=down, lean_through=through))
    assert table["joint_space_width", "SIJ", "left"].value == pytest.approx(2.0, abs=0.25)
    assert table["joint_space_width", "SIJ", "right"].value == pytest.approx(4.0, abs=0.25)


def test_a_joint_without_space_and_unknown_spacing_have_reasons() -> None:
    table = measured(joints(0.0, 3.0))
    assert table["joint_space_width", "SIJ", "left"].reason == "no sacroiliac joint space is outlined on this side"
    unknown = measured(joints(2.0, 3.0), has_spacing=False)
    assert unknown["joint_space_width", "SIJ", "right"].reason == "pixel spacing unknown"
