"""Parts of a structured report: boxes in stored pixels, names, text that DICOM can hold."""

import numpy as np
import pytest

from anatomy import Side
from imaging.geometry import apply_axes
from imaging.types import Plane, Sequence, Series, Volume
from reporting.dicom.sr_items import clean_text, person_name
from reporting.dicom.sr_places import label_of, source_box


@pytest.mark.parametrize("axes", [((1, True), (0, False), (2, False)), ((0, True), (1, True), (2, False))])
def test_a_box_is_turned_back_to_the_stored_pixels(axes: tuple[tuple[int, bool], ...]) -> None:
    stored = np.zeros((12, 8, 3), dtype=np.float32)
    stored[2:5, 4:6, 1] = 1.0
    volume = Volume(apply_axes(stored, axes), None, None, stored.shape, axes)
    series = Series("S1", None, Plane.SAGITTAL, Sequence.T2, volume)
    x, y = np.nonzero(volume.array[:, :, 1])
    outline = source_box(series, 1, (x.min(), y.min(), x.max(), y.max()))
    assert outline.min(axis=0).tolist() == [2.5, 4.5]
    assert outline.max(axis=0).tolist() == [4.5, 5.5]
    assert outline[0].tolist() == outline[-1].tolist()


def test_a_name_is_one_component_whatever_it_holds() -> None:
    assert person_name("Dr. A. Reader") == "Dr. A. Reader^"
    assert person_name("Evil^Name=\\x\x00\n" + "y" * 99).startswith("Evil Name x yyy")
    assert len(person_name("z" * 500)) == 64


def test_text_ends_lines_as_dicom_does() -> None:
    assert clean_text(" one\ntwo\r\nthree\rfour\t. ") == "one\r\ntwo\r\nthree\r\nfour\t."
    assert clean_text("\x00\x07") == ""


@pytest.mark.parametrize(
    ("structure", "level", "side", "label"),
    [
        ("disc", "L4-L5", None, 202),
        ("disc", "SIJ", None, None),
        ("vertebra", "L4", None, 2),
        ("vertebra", "L4-L5", None, None),
        ("canal", "L4-L5", None, 100),
        ("cord", "C4-C5", None, 101),
        ("joint", "SIJ", Side.RIGHT, 54),
        ("joint", "SIJ", None, None),
        ("", "L4-L5", None, None),
    ],
)
def test_the_label_of_what_was_measured(structure: str, level: str, side: Side | None, label: int | None) -> None:
    assert label_of(structure, level, side) == label
