"""Labels in our numbers: round trips, nothing lost in silence, wrong numberings caught, grids."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anatomy import disc_label, vertebra_label
from anatomy.conventions import LabelKind, conventions
from imaging.label_file import read_label_file
from imaging.label_grid import place_labels, share_inside
from imaging.label_import import Outcome, import_labels, to_their_labels
from imaging.label_order import anatomy_conflicts, centroids_ras, level_doubts
from imaging.phantom.build import paint_grid
from imaging.phantom.scene import build_scene
from imaging.phantom.setup import load_setup
from imaging.phantom.tissues import Palette
from imaging.types import Plane, Sequence, Series, Spacing, Volume
from runtime.errors import ConfigError, StudyError
from tests.imaging.label_factories import SAGITTAL_AFFINE, drawn_spine, in_their_numbers, volume_of

whole = drawn_spine("C1", "L5")
lumbar = drawn_spine()
OUTLINES = [name for name, item in conventions().items() if item.kind is LabelKind.OUTLINES]


@pytest.mark.parametrize("name", OUTLINES)
def test_ours_to_theirs_to_ours_keeps_every_label_that_both_know(name: str) -> None:
    convention = conventions()[name]
    theirs, left_out = to_their_labels(whole, convention)
    known = set(convention.their_labels())
    assert set(left_out) == set(np.unique(whole).tolist()) - known - {0}
    if not theirs.any():
        return  # nothing in common that a whole spine has (the table tests say what)
    back = import_labels(volume_of(theirs), name)
    np.testing.assert_array_equal(back.array, np.where(np.isin(whole, list(known)), whole, 0))


@pytest.mark.parametrize("name", OUTLINES)
def test_every_number_of_a_file_ends_in_one_row(name: str) -> None:
    convention = conventions()[name]
    labels = in_their_numbers(whole, convention)
    if name == "sct:levels":
        labels[whole == 101] = 3
    strange = next(number for number in range(60000, 60010) if number not in convention.rules)
    labels[0, 0, 0] = strange
    reasons = [rule for rule in convention.rules.values() if rule.our_label is None and rule.their_label != 101]
    if reasons:
        labels[0, 1, 0] = reasons[0].their_label
    found = import_labels(volume_of(labels), name)
    assert [row.their_label for row in found.rows] == sorted(np.unique(labels[labels > 0]).tolist())
    assert sum(row.voxels for row in found.rows) == (labels > 0).sum()
    by_number = {row.their_label: row for row in found.rows}
    assert by_number[strange].outcome is Outcome.UNKNOWN
    assert str(strange) in " ".join(found.notices())
    if reasons:
        row = by_number[reasons[0].their_label]
        assert (row.outcome, row.our_label, row.note) == (Outcome.LEFT_OUT, None, reasons[0].note)
        assert row.their_name in " ".join(found.notices())
    assert found.array[0, 0, 0] == 0
    mapped = [row for row in found.rows if row.our_label is not None]
    assert sum(row.voxels for row in mapped) == (found.array > 0).sum()


@pytest.mark.parametrize(
    "name",
    ["spider", "totalspineseg:step2", "totalspineseg:step1", "totalspineseg:early", "spineps:vert"],
)
def test_auto_tells_files_with_discs_apart(name: str) -> None:
    labels = in_their_numbers(lumbar, conventions()[name])
    assert import_labels(volume_of(labels)).convention.name == name


def test_auto_refuses_what_two_conventions_fit() -> None:
    spider = in_their_numbers(lumbar, conventions()["spider"])
    spider[spider >= 100] = 0  # vertebrae alone: from the bottom, 1 is L5 or the sacrum
    with pytest.raises(StudyError, match=r"several that fit \(spider, totalsegmentator:vertebrae_mr\)"):
        import_labels(volume_of(spider))
    with pytest.raises(StudyError, match="none that fits the labels 250"):
        import_labels(volume_of(np.where(lumbar > 0, 250, 0)))


def test_a_tool_of_several_kinds_is_asked_for_where_the_file_does_not_tell() -> None:
    cord = np.where(lumbar == 101, 1, 0)
    with pytest.raises(ConfigError, match=r"several that fit \(sct:levels, sct:cord, sct:canal\)"):
        import_labels(volume_of(cord), "sct")
    assert set(np.unique(import_labels(volume_of(cord), "sct:cord").array)) == {0, 101}
    assert set(np.unique(import_labels(volume_of(cord), "sct:canal").array)) == {0, 100}
    with pytest.raises(ConfigError, match="expected auto or one of spider, totalspineseg:step2"):
        import_labels(volume_of(cord), "nnunet")


def test_a_convention_that_the_anatomy_contradicts_is_refused() -> None:
    spider = in_their_numbers(lumbar, conventions()["spider"])
    spider[spider >= 100] = 0
    with pytest.raises(StudyError, match=r"as spineps:vert numbers them, found C2 above C1"):
        import_labels(volume_of(spider), "spineps:vert")
    upside_down = SAGITTAL_AFFINE.copy()
    upside_down[2, 1] *= -1
    with pytest.raises(StudyError, match=r"found L\d+ above|found T12 above T11"):
        import_labels(volume_of(in_their_numbers(lumbar, conventions()["spider"]), upside_down), "spider")


def test_numbers_off_by_one_against_the_discs_are_refused() -> None:
    labels = in_their_numbers(lumbar, conventions()["totalspineseg:early"])
    discs = labels >= 202
    labels[discs] += 2  # discs named two levels too high
    with pytest.raises(StudyError, match="not between its vertebrae"):
        import_labels(volume_of(labels), "totalspineseg:early")


def test_vertebrae_counted_from_the_top_are_no_names() -> None:
    named = in_their_numbers(lumbar, conventions()["spineps:vert"])
    assert not import_labels(volume_of(named), "spineps:vert").is_doubtful
    counted = named.copy()
    counted[(named > 17) & (named < 26)] -= 17  # T11 is 1 now
    counted[named > 100] -= 17
    with pytest.raises(StudyError, match="counted from the top of the picture"):
        import_labels(volume_of(counted), "spineps:vert")
    without_sacrum = np.where((named == 26) | (named == 124), 0, named)
    assert not import_labels(volume_of(without_sacrum), "spineps:vert").is_doubtful  # no count starts at 18
    neck = in_their_numbers(drawn_spine("C1", "C6", has_sacrum=False), conventions()["spineps:vert"])
    found = import_labels(volume_of(neck), "spineps:vert")
    assert found.is_doubtful
    assert any("level names are in doubt" in notice for notice in found.notices())


def test_a_sixth_lumbar_vertebra_is_left_out_and_said() -> None:
    labels = in_their_numbers(lumbar, conventions()["totalspineseg:step2"])
    labels[labels == 50] = 46
    found = import_labels(volume_of(labels), "totalspineseg:step2")
    rows = {row.their_label: row for row in found.rows}
    assert rows[100].outcome is rows[46].outcome is Outcome.LEFT_OUT
    assert "sixth lumbar" in rows[100].note
    assert disc_label("L5-S1") not in found.array
    assert disc_label("L4-L5") in found.array


def test_vertebrae_cut_off_by_the_border_are_kept_and_told() -> None:
    labels = in_their_numbers(lumbar, conventions()["spider"])
    labels[labels == 7] = 107
    found = import_labels(volume_of(labels), "spider")
    assert found.partial == {vertebra_label("T11")}
    assert (found.array == vertebra_label("T11")).sum() == (labels == 107).sum()


def test_segments_of_the_sacrum_are_one_sacrum() -> None:
    labels = in_their_numbers(lumbar, conventions()["totalsegmentator:total"])
    sacrum = np.argwhere(lumbar == 50)
    top = sacrum[:, 1].min() + 8
    labels[lumbar == 50] = 25
    labels[:, :top][lumbar[:, :top] == 50] = 26
    found = import_labels(volume_of(labels), "totalsegmentator:total")
    np.testing.assert_array_equal(found.array == 50, lumbar == 50)


def test_marks_name_levels_and_outline_nothing() -> None:
    labels = np.zeros(lumbar.shape, dtype=int)
    for number, name in ((22, "L2-L3"), (23, "L3-L4"), (24, "L4-L5"), (60, "")):
        rows = np.argwhere(lumbar == disc_label(name))[:, 1] if name else np.array([5])
        labels[25, int(rows.mean()), 2] = number
    found = import_labels(volume_of(labels))
    assert found.convention.name == "sct:discs"
    assert not found.array.any()
    assert set(found.points_ras) == {disc_label("L2-L3"), disc_label("L3-L4"), disc_label("L4-L5")}
    at = np.argwhere(labels == 24)[0]
    expected = (SAGITTAL_AFFINE @ [*at, 1.0])[:3]
    np.testing.assert_allclose(found.points_ras[disc_label("L4-L5")], expected)


def test_a_file_of_nothing_we_know_is_refused() -> None:
    with pytest.raises(StudyError, match="expected labels that have a counterpart here, found none"):
        import_labels(volume_of(np.where(lumbar > 0, 5, 0)), "totalsegmentator:total_mr")


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize("protocol", ["lumbar", "cervical"])
def test_phantom_spines_read_like_spines(protocol: str, seed: int) -> None:
    setup = load_setup(f"setup_{protocol}")  # painted, not scanned: only the labels matter
    canvas = paint_grid(build_scene(setup, seed=seed, palette=Palette()), setup.series[0], setup)
    labels, affine = canvas.labels(), canvas.grid.affine
    assert anatomy_conflicts(centroids_ras(labels, affine)) == ()
    assert level_doubts(labels, affine) == {}


def test_repeated_and_skipped_names_are_doubted() -> None:
    assert level_doubts(whole, SAGITTAL_AFFINE) == {}
    repeated = lumbar.copy()
    repeated[lumbar == disc_label("L2-L3")] = disc_label("L3-L4")
    doubts = level_doubts(repeated, SAGITTAL_AFFINE)
    assert "two discs L3-L4" in doubts["L3-L4"]
    skipped = lumbar.copy()  # one disc unlabelled, the names above it moved down by one
    skipped[lumbar == disc_label("L3-L4")] = 0
    for upper in ("L2-L3", "L1-L2", "T12-L1", "T11-T12"):
        skipped[lumbar == disc_label(upper)] = disc_label(upper) - 1
    assert set(level_doubts(skipped, SAGITTAL_AFFINE)) == {"L3-L4", "L4-L5"}
    unlabelled = np.where(lumbar == disc_label("L3-L4"), 0, lumbar).astype(np.uint8)
    assert level_doubts(unlabelled, SAGITTAL_AFFINE) == {}  # a disc that is not there says nothing of names
    jumped = lumbar.copy()  # names above one disc moved up by one: L3-L4 is never given
    for upper in ("L3-L4", "L2-L3", "L1-L2", "T12-L1"):
        jumped[lumbar == disc_label(upper)] = disc_label(upper) + 1
    assert {"L4-L5", "L2-L3"} <= set(level_doubts(jumped, SAGITTAL_AFFINE))


def series_on(affine: np.ndarray, shape: tuple[int, int, int]) -> Series:
    volume = Volume(np.zeros(shape, dtype=np.float32), Spacing(1.0, 1.0, 4.0), affine, shape)
    return Series("S1", None, Plane.SAGITTAL, Sequence.T2, volume)


def test_labels_stored_another_way_round_come_back_voxel_for_voxel() -> None:
    series = series_on(SAGITTAL_AFFINE, lumbar.shape)
    flip = np.diag([-1.0, 1.0, -1.0, 1.0])
    flip[0, 3], flip[2, 3] = lumbar.shape[0] - 1, lumbar.shape[2] - 1
    turned = lumbar[::-1, :, ::-1].transpose(2, 0, 1)
    swap = np.zeros((4, 4))
    swap[2, 0] = swap[0, 1] = swap[1, 2] = swap[3, 3] = 1.0
    placed = place_labels(turned, SAGITTAL_AFFINE @ flip @ swap, series)
    assert placed.is_same_grid
    assert placed.notices == ()
    np.testing.assert_array_equal(placed.array, lumbar)


def test_another_grid_is_sampled_and_said() -> None:
    fine = np.repeat(np.repeat(lumbar, 2, axis=0), 2, axis=1)
    affine = SAGITTAL_AFFINE @ np.diag([0.5, 0.5, 1.0, 1.0])
    affine[:, 3] = SAGITTAL_AFFINE @ [-0.25, -0.25, 0.0, 1.0]
    placed = place_labels(fine, affine, series_on(SAGITTAL_AFFINE, lumbar.shape))
    assert not placed.is_same_grid
    np.testing.assert_array_equal(placed.array, lumbar)
    assert any("nearest neighbour" in notice for notice in placed.notices)


def test_a_larger_field_of_view_is_cut_and_said() -> None:
    rows = lumbar.shape[1] * 2 // 3
    placed = place_labels(lumbar, SAGITTAL_AFFINE, series_on(SAGITTAL_AFFINE, (40, rows, 5)))
    np.testing.assert_array_equal(placed.array, lumbar[:, :rows])
    assert any("lie outside the image" in notice for notice in placed.notices)
    assert any("sacrum" in notice for notice in placed.notices)


def test_labels_of_another_scan_are_refused() -> None:
    away = SAGITTAL_AFFINE.copy()
    away[2, 3] += 5000
    with pytest.raises(StudyError, match="found 0% of them inside it; they belong to another image"):
        place_labels(lumbar, away, series_on(SAGITTAL_AFFINE, lumbar.shape))


def test_lps_written_as_ras_is_named() -> None:
    affine = SAGITTAL_AFFINE.copy()
    affine[:2, 3] = (90.0, -70.0)
    wrong = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    with pytest.raises(StudyError, match="written in LPS, and NIfTI is RAS"):
        place_labels(lumbar, wrong, series_on(affine, lumbar.shape))


def test_a_picture_has_no_place_for_labels() -> None:
    series = series_on(SAGITTAL_AFFINE, lumbar.shape)
    picture = replace(series, volume=replace(series.volume, affine=None))
    with pytest.raises(StudyError, match="found a picture"):
        place_labels(lumbar, SAGITTAL_AFFINE, picture)
    assert share_inside(lumbar, SAGITTAL_AFFINE, picture) == 0.0


def test_a_real_file_of_the_spinal_cord_toolbox_is_its_cord(data_dir: Path) -> None:
    folder = data_dir / "nifti" / "sct_testing"
    labelled = read_label_file(folder / "t2_t2_seg-manual_labeled.nii.gz")
    found = import_labels(labelled, "sct")
    assert found.convention.name == "sct:levels"
    assert [row.their_name for row in found.rows] == [f"cord at vertebral level C{n}" for n in range(2, 6)]
    cord = import_labels(read_label_file(folder / "t2_t2_seg-manual.nii.gz"), "sct:cord")
    assert set(np.unique(cord.array)) == {0, 101}
    assert (found.array == 101).sum() == (labelled.array > 0).sum()
    assert ((found.array == 101) & (cord.array == 101)).sum() > 0.9 * (found.array == 101).sum()
