"""A study read with imported labels: levels and measurements on given outlines, names alone, doubts, refusals."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from anatomy import disc_label, load_protocol, vertebra_label
from anatomy.conventions import conventions
from imaging.label_import import ImportedLabels, import_labels, to_their_labels
from imaging.types import AffineMatrix, Series, Volume
from runtime.errors import ConfigError, NotEligibleError, StudyError
from segmentation import Segmenter
from segmentation.imported_names import COUNTED, DOUBTED, middle_slice
from segmentation.types import LabelArray, SegmentedStudy
from tests.imaging.label_factories import volume_of
from tests.segmentation.drawn_spine import DrawnNetwork, DrawnSpine
from tests.segmentation.test_study import LUMBAR, series_of, study_of

SPINE = DrawnSpine(map_peak=0.9)


@cache
def truth() -> tuple[SegmentedStudy, Series]:
    """Return a drawn study as our own network reads it."""
    series = series_of(SPINE)
    return Segmenter(DrawnNetwork(SPINE.level_maps())).segment_study(study_of(series), LUMBAR), series


def imported(labels: LabelArray, series: Series, name: str = "totalspineseg:step2") -> ImportedLabels:
    """Return our label map as another tool would have written it, imported."""
    theirs, _ = to_their_labels(labels, conventions()[name])
    assert series.volume.affine is not None
    return import_labels(volume_of(theirs, series.volume.affine), name)


def read(labels: ImportedLabels, *series: Series, maps: np.ndarray | None = None) -> SegmentedStudy:
    network = DrawnNetwork(SPINE.level_maps() if maps is None else maps)
    return Segmenter(network).segment_imported(study_of(*series), LUMBAR, labels)


@pytest.mark.parametrize("name", ["totalspineseg:step2", "spider", "spineps:vert"])
def test_given_outlines_carry_levels_and_measurements(name: str) -> None:
    ours, series = truth()
    done = read(imported(ours.label_maps[0].array, series, name), series)
    known = list(conventions()[name].their_labels())  # SPINEPS keeps the canal in another file
    mine = ours.label_maps[0].array
    np.testing.assert_array_equal(done.label_maps[0].array, np.where(np.isin(mine, known), mine, 0))
    assert [level.name for level in done.levels] == list(LUMBAR.levels)
    assert all(level.confidence == 1.0 and level.doubt is None for level in done.levels)
    for mine, theirs in zip(ours.levels, done.levels, strict=True):
        np.testing.assert_allclose(theirs.centre_px, mine.centre_px, atol=0.5)
        np.testing.assert_allclose(theirs.centre_ras_mm, mine.centre_ras_mm, atol=0.5)
        assert theirs.slice_index == mine.slice_index
    heights = {item.level: item.value for item in done.measurements if item.name == "disc_height"}
    assert heights["L3-L4"] == pytest.approx(SPINE.disc_height, abs=0.8)
    assert {item.level for item in done.regions} == set(LUMBAR.levels)
    assert done.notices[0].startswith("Labels were imported (")


def test_our_network_has_no_say_in_given_outlines() -> None:
    ours, series = truth()
    moved = np.roll(ours.label_maps[0].array, 3, axis=0)
    done = read(imported(moved, series), series)
    for mine, theirs in zip(ours.levels, done.levels, strict=True):
        np.testing.assert_allclose(np.subtract(theirs.centre_px, mine.centre_px), (3.0, 0.0), atol=0.5)


def test_a_second_series_takes_the_levels_through_millimetres() -> None:
    ours, series = truth()
    second = series_of(SPINE, name="S2", role="sagittal_t1", origin=(0.0, 0.0, 14.0))
    done = read(imported(ours.label_maps[0].array, series), series, second)
    assert done.primary_series_id == "S1"
    assert [level.name for level in done.series_levels["S2"]] == list(LUMBAR.levels)
    other = read(imported(ours.label_maps[0].array, series), second, series)
    assert other.primary_series_id == "S1", "the series whose very grid the labels have"


def test_labels_on_another_grid_are_sampled_and_said() -> None:
    ours, series = truth()
    labels = ours.label_maps[0].array
    assert series.volume.affine is not None
    affine: AffineMatrix = series.volume.affine @ np.diag([0.5, 0.5, 1.0, 1.0])
    affine[:, 3] = series.volume.affine @ [-0.25, -0.25, 0.0, 1.0]
    fine = np.repeat(np.repeat(labels, 2, axis=0), 2, axis=1)
    theirs, _ = to_their_labels(fine, conventions()["spider"])
    done = read(import_labels(volume_of(theirs, affine), "spider"), series)
    np.testing.assert_array_equal(done.label_maps[0].array, np.where(labels == 50, 0, labels))
    assert any("nearest neighbour" in notice for notice in done.notices)


def test_a_disc_named_twice_is_doubted() -> None:
    ours, series = truth()
    labels = ours.label_maps[0].array.copy()
    labels[labels == disc_label("L2-L3")] = disc_label("L3-L4")
    done = read(imported(labels, series), series)
    by_name = {level.name: level for level in done.levels}
    assert "L2-L3" not in by_name
    assert by_name["L3-L4"].confidence == DOUBTED
    assert "two discs L3-L4" in (by_name["L3-L4"].doubt or "")
    assert by_name["L5-S1"].doubt is None


def test_a_disc_that_the_middle_slice_does_not_show_lies_on_the_nearest_that_does() -> None:
    ours, series = truth()
    labels = ours.label_maps[0].array.copy()
    middle = middle_slice(labels)
    labels[:, :, middle][labels[:, :, middle] == disc_label("L4-L5")] = 0
    done = read(imported(labels, series), series)
    level = done.level("L4-L5")
    assert level is not None
    assert abs(level.slice_index - middle) == 1
    region = next(item for item in done.regions if item.level == "L4-L5")
    assert region.slice_index == level.slice_index


def test_numbers_that_may_count_from_the_top_put_every_level_in_doubt() -> None:
    ours, series = truth()
    labels = replace(imported(ours.label_maps[0].array, series), is_doubtful=True)
    done = read(labels, series)
    assert {level.doubt for level in done.levels} == {COUNTED}
    assert all(level.confidence == DOUBTED for level in done.levels)


def vertebrae_alone() -> tuple[ImportedLabels, Series, SegmentedStudy]:
    ours, series = truth()
    labels = np.where(ours.label_maps[0].array < 25, ours.label_maps[0].array, 0).astype(np.uint8)
    return imported(labels, series, "totalsegmentator:vertebrae_mr"), series, ours


def test_vertebrae_without_discs_name_the_levels_and_ours_outline_them() -> None:
    labels, series, ours = vertebrae_alone()
    done = read(labels, series, maps=np.zeros_like(SPINE.level_maps()))
    assert [level.name for level in done.levels] == [level.name for level in ours.levels]
    np.testing.assert_array_equal(done.label_maps[0].array, ours.label_maps[0].array)
    assert any("outlines are our own, as no disc was outlined" in notice for notice in done.notices)
    assert not any("a person confirmed" in notice for notice in done.notices)


def marks(series: Series, ours: SegmentedStudy, shift: int = 0) -> ImportedLabels:
    """Return SCT's marks at the posterior ends of L2-L3 to L4-L5, numbered ``shift`` too high."""
    labels = np.zeros(series.volume.shape, dtype=np.int32)
    for number, name in ((22, "L2-L3"), (23, "L3-L4"), (24, "L4-L5")):
        level = ours.level(name)
        assert level is not None
        x, y = np.rint(level.posterior_px).astype(int)
        labels[x, y, level.slice_index] = number + shift
    return import_labels(volume_of(labels, series.volume.affine), "sct:discs")


def test_marks_at_discs_name_the_levels() -> None:
    ours, series = truth()
    done = read(marks(series, ours), series)
    assert [level.name for level in done.levels] == list(LUMBAR.levels)
    assert all(level.doubt is None for level in done.levels)
    nothing = np.zeros_like(SPINE.level_maps())
    renamed = read(marks(series, ours, shift=-1), series, maps=nothing)
    at = {level.name: level.centre_px for level in renamed.levels}
    l45 = ours.level("L4-L5")
    assert l45 is not None
    np.testing.assert_allclose(at["L3-L4"], l45.centre_px, atol=1.0)


def test_a_mark_that_disagrees_with_the_others_is_doubted() -> None:
    ours, series = truth()
    good = marks(series, ours)
    wrong = dict(good.points_ras)
    wrong[disc_label("L1-L2")] = wrong.pop(disc_label("L2-L3"))
    done = read(replace(good, points_ras=wrong), series)
    by_name = {level.name: level for level in done.levels}
    assert by_name["L2-L3"].doubt == "the imported labels name this disc L1-L2"
    assert by_name["L2-L3"].confidence == DOUBTED
    assert by_name["L4-L5"].doubt is None


def test_labels_that_name_no_level_are_refused() -> None:
    ours, series = truth()
    canal = np.where(ours.label_maps[0].array == 100, 1, 0)
    labels = import_labels(volume_of(canal, series.volume.affine), "sct:canal")
    with pytest.raises(StudyError, match=r"expected discs, marks at discs or .* found none"):
        read(labels, series)


def test_too_few_discs_are_no_spine() -> None:
    ours, series = truth()
    array = ours.label_maps[0].array
    labels = np.where(np.isin(array, [disc_label("L4-L5"), vertebra_label("L4"), vertebra_label("L5")]), array, 0)
    with pytest.raises(NotEligibleError, match="outline 1 of the discs"):
        read(imported(labels.astype(np.uint8), series), series)


def test_labels_beside_the_image_and_pictures_are_refused() -> None:
    ours, series = truth()
    labels = imported(ours.label_maps[0].array, series)
    away = labels.affine.copy()
    away[2, 3] += 4000
    with pytest.raises(StudyError, match="expected labels that lie on the image, found 0%"):
        read(replace(labels, affine=away), series)
    volume = series.volume
    picture = replace(series, volume=Volume(volume.array, volume.spacing, None, volume.source_shape))
    for given in (labels, marks(series, ours)):
        with pytest.raises(StudyError, match="found a picture"):
            read(given, picture)


def test_sacroiliac_joints_have_no_convention() -> None:
    ours, series = truth()
    labels = imported(ours.label_maps[0].array, series)
    with pytest.raises(ConfigError, match="no label convention outlines the sacroiliac joints"):
        Segmenter(DrawnNetwork()).segment_imported(study_of(series), load_protocol("sacroiliac"), labels)
