"""The overlay: size, places, colours, directions, scale bar."""

import io
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imaging.types import Spacing, Study
from pipeline import OverlayLayers, render_overlay
from reporting.slice_picture import directions, structure_colours
from segmentation.types import SegmentedStudy
from tests.pipeline.fakes import COLUMNS, fake_segmented, fake_study

BARE = OverlayLayers(structures=False, names=False)
BAND = 46


def draw(study: Study, segmented: SegmentedStudy, layers: OverlayLayers | None = None) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(render_overlay(study, segmented, layers=layers))) as picture:
        assert picture.format == "PNG"
        assert picture.mode == "RGB"
        return np.asarray(picture)


def test_picture_keeps_the_proportions_of_the_patient() -> None:
    square = fake_study(Spacing(0.5, 0.5))
    assert draw(square, fake_segmented(square)).shape == (900 + BAND, 600, 3)
    # Rows twice as far apart as columns: the picture is twice as tall for its width.
    tall = fake_study(Spacing(1.0, 0.5))
    assert draw(tall, fake_segmented(tall)).shape == (900 + BAND, 300, 3)
    unknown = fake_study(None)
    assert draw(unknown, fake_segmented(unknown)).shape == (900 + BAND, 600, 3)


def test_structures_lie_where_the_label_map_says() -> None:
    study = fake_study(Spacing(0.5, 0.5))
    segmented = fake_segmented(study)
    bare = draw(study, segmented, BARE).astype(int)
    painted = draw(study, segmented, OverlayLayers(names=False)).astype(int)
    scale = 600 / COLUMNS
    labels = segmented.label_maps[0].array[:, :, 0].T
    changed = np.abs(painted - bare).sum(axis=2)[:900] > 0
    for row, column in ((150, 60), (60, 100), (130, 60), (120, 20), (235, 60)):
        y, x = int((row + 0.5) * scale), int((column + 0.5) * scale)
        assert changed[y, x] == (labels[row, column] > 0), (row, column)
    # Discs are green, vertebrae blue, whatever the grey below.
    disc = painted[int(150.5 * scale), int(60.5 * scale)] - bare[int(150.5 * scale), int(60.5 * scale)]
    body = painted[int(130.5 * scale), int(60.5 * scale)] - bare[int(130.5 * scale), int(60.5 * scale)]
    assert disc.argmax() == 1
    assert body.argmax() == 2


def test_layers_can_be_left_out_and_measurements_added() -> None:
    study = fake_study(Spacing(0.5, 0.5))
    segmented = fake_segmented(study)
    bare = draw(study, segmented, BARE)
    lines = draw(study, segmented, OverlayLayers(structures=False, names=False, measurements=True))
    rows, columns = np.nonzero((bare != lines).any(axis=2))
    scale = 600 / COLUMNS
    assert abs(columns.mean() / scale - 65.5) < 0.5
    assert rows.min() / scale == pytest.approx(25.5, abs=0.6)
    assert rows.max() / scale == pytest.approx(35.5, abs=0.6)


def test_names_stand_behind_the_spine_and_doubt_has_its_colour() -> None:
    study = fake_study(Spacing(0.5, 0.5))
    segmented = fake_segmented(study)
    bare = draw(study, segmented, BARE)
    named = draw(study, segmented, OverlayLayers(structures=False))
    _, columns = np.nonzero((bare != named).any(axis=2))
    assert columns.min() / (600 / COLUMNS) > 89
    doubtful = (named == (255, 170, 60)).all(axis=2)
    rows, _ = np.nonzero(doubtful)
    # Only the first level, at row 30, is in doubt.
    assert abs(rows.mean() / (600 / COLUMNS) - 30.5) < 2


def test_names_stay_inside_when_the_spine_is_at_the_edge() -> None:
    study = fake_study(Spacing(0.5, 0.5))
    segmented = fake_segmented(study)
    moved = tuple(
        replace(level, posterior_px=(COLUMNS - 2.0, level.posterior_px[1])) for level in segmented.levels
    )
    named = draw(study, replace(segmented, levels=moved), OverlayLayers(structures=False))
    bare = draw(study, segmented, BARE)
    _, columns = np.nonzero((bare != named).any(axis=2))
    assert columns.max() < 600 - 1


def test_directions_follow_the_affine() -> None:
    study = fake_study(Spacing(0.5, 0.5, 4.0))
    volume = study.series[0].volume
    affine = np.zeros((4, 4))
    affine[1, 0], affine[2, 1], affine[0, 2], affine[3, 3] = -0.5, -0.5, 4.0, 1.0
    assert directions(replace(volume, affine=affine), ()) == ("A", "P", "H", "F")
    axial = np.diag([-0.5, -0.5, 4.0, 1.0])
    assert directions(replace(volume, affine=axial), ()) == ("R", "L", "A", "P")


@pytest.mark.parametrize(
    ("degrees", "top", "bottom"), [(0, "H", "F"), (25, "H", "F"), (49, "AH", "PF"), (70, "A", "P")]
)
def test_a_tilted_slice_has_two_letters_at_an_edge(degrees: float, top: str, bottom: str) -> None:
    """A coronal slice whose rows run from head to foot and, the more it is tilted, from front to back."""
    volume = fake_study(Spacing(0.5, 0.5, 4.0)).series[0].volume
    affine, angle = np.eye(4), np.radians(degrees)
    affine[:3, 0] = -0.5, 0.0, 0.0
    affine[:3, 1] = 0.0, -0.5 * np.sin(angle), -0.5 * np.cos(angle)
    assert directions(replace(volume, affine=affine), ()) == ("R", "L", top, bottom)


def test_directions_of_a_picture_follow_what_was_found() -> None:
    study = fake_study()
    segmented = fake_segmented(study)
    volume = study.series[0].volume
    assert directions(volume, segmented.levels) == ("A", "P", "H", "F")
    mirrored = tuple(replace(level, posterior_px=(40.0, level.posterior_px[1])) for level in segmented.levels)
    assert directions(volume, mirrored) == ("P", "A", "H", "F")
    assert directions(volume, tuple(reversed(segmented.levels))) == ("A", "P", "F", "H")


def test_scale_bar_is_five_centimetres() -> None:
    study = fake_study(Spacing(0.5, 0.5))
    picture = draw(study, fake_segmented(study), BARE)
    row = (picture[900 + 10] == (190, 190, 190)).all(axis=1)
    # 50 mm at 0.5 mm a column and 3.75 output pixels a column.
    assert row[8 : 8 + 375].all()
    assert not row[8 + 377 : 8 + 380].any()


def test_another_slice_can_be_drawn_and_a_wrong_one_is_refused() -> None:
    study = fake_study()
    segmented = fake_segmented(study)
    assert render_overlay(study, segmented, slice_index=0) == render_overlay(study, segmented)
    with pytest.raises(ValueError, match="slice_index: expected 0 to 0, got 3"):
        render_overlay(study, segmented, slice_index=3)


def test_colours_cover_every_label_number() -> None:
    from anatomy.structures import label_codes

    assert set(structure_colours()) == set(label_codes())


def test_no_identity_in_the_file() -> None:
    study = fake_study()
    with Image.open(io.BytesIO(render_overlay(study, fake_segmented(study)))) as picture:
        assert picture.info == {}


def test_another_series_is_drawn_with_the_levels_of_its_slice_and_an_unknown_one_refused() -> None:
    study = fake_study()
    segmented = fake_segmented(study)
    second = replace(study.series[0], id="S2")
    moved = tuple(replace(level, series_id="S2", slice_index=0) for level in segmented.levels[:1])
    both = replace(study, series=(*study.series, second))
    located = replace(segmented, series_levels={**segmented.series_levels, "S2": moved})
    assert render_overlay(both, located, series_id="S1") == render_overlay(study, segmented)
    assert render_overlay(both, located, series_id="S2") != render_overlay(both, located)
    empty = replace(located, series_levels={**segmented.series_levels, "S2": ()})
    assert render_overlay(both, empty, series_id="S2") != render_overlay(both, located, series_id="S2")
    with pytest.raises(ValueError, match="series_id: expected one of"):
        render_overlay(study, segmented, series_id="S9")
