"""Whole studies through the Segmenter, with a network that answers with the drawing."""

import sys
from dataclasses import replace

import numpy as np
import pytest

import segmentation
from anatomy import DISC_LEVELS, disc_label, load_protocol, vertebra_label
from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from runtime.errors import ConfigError, NotEligibleError
from segmentation.middle import to_levels
from segmentation.scan import BATCH, MAX_SLICES, all_slices
from segmentation.study import Segmenter, sagittal_series
from segmentation.types import SegmentedStudy
from tests.segmentation.drawn_spine import DrawnNetwork, DrawnSpine, picture_of

LUMBAR = load_protocol("lumbar")


def affine_of(spacing: Spacing, origin: tuple[float, float, float]) -> np.ndarray:
    """Sagittal: columns run to the back, rows to the feet, slices to the patient's right."""
    affine = np.zeros((4, 4))
    affine[1, 0], affine[2, 1], affine[0, 2] = -spacing.col_mm, -spacing.row_mm, spacing.slice_mm or 1.0
    affine[:3, 3] = origin
    affine[3, 3] = 1.0
    return affine


def series_of(
    spine: DrawnSpine,
    *,
    slices: int = 5,
    name: str = "S1",
    role: str | None = "sagittal_t2",
    plane: Plane = Plane.SAGITTAL,
    has_spacing: bool = True,
    origin: tuple[float, float, float] | None = (0.0, 0.0, 0.0),
) -> Series:
    """The canal is drawn fully on the middle slice and thinner to the sides."""
    middle = (slices - 1) // 2
    pictures = []
    for k in range(slices):
        classes = spine.classes()
        if k != middle:
            classes[:, : classes.shape[1] // 8] = 0
            classes[classes == 3] *= (np.arange((classes == 3).sum()) % 2).astype(np.uint8)
        pictures.append(picture_of(classes).T)
    array = np.stack(pictures, axis=2)
    spacing = spine.spacing if has_spacing else None
    affine = affine_of(spine.spacing, origin) if has_spacing and origin is not None else None
    sequence = Sequence.T1 if role == "sagittal_t1" else Sequence.T2
    return Series(name, role, plane, sequence, Volume(array, spacing, affine, array.shape))


def study_of(*series: Series) -> Study:
    return Study("key", SourceKind.DICOM, "lumbar", series)


def segment(spine: DrawnSpine, *series: Series, network: DrawnNetwork | None = None) -> SegmentedStudy:
    network = network or DrawnNetwork(spine.level_maps())
    return Segmenter(network).segment_study(study_of(*(series or (series_of(spine),))), LUMBAR)


def test_a_volume_becomes_named_levels_and_numbered_instances_on_every_slice() -> None:
    spine = DrawnSpine(map_peak=0.9)
    done = segment(spine)
    assert [level.name for level in done.levels] == list(LUMBAR.levels)
    assert done.primary_series_id == "S1"
    assert {level.slice_index for level in done.levels} == {2}
    for level in done.levels:
        truth = spine.to_px(spine.centres()[level.name])
        assert np.hypot(level.centre_px[0] - truth[0], level.centre_px[1] - truth[1]) < 1.5
        assert level.angle_deg == pytest.approx(spine.tilt(level.name), abs=2.0)
        assert level.length_px == pytest.approx(spine.disc_length / spine.col_mm, abs=2.5)
        assert level.confidence > 0.9
    labels = done.label_maps[0].array
    assert labels.shape == done_shape(spine, 5)
    assert labels.dtype == np.uint8
    for k in range(5):
        found = set(np.unique(labels[:, :, k])) - {0}
        assert {disc_label(name) for name in LUMBAR.levels} <= found
        assert {vertebra_label(name) for name in ("T12", "L1", "L2", "L3", "L4", "L5")} <= found
        assert 100 in found
    for level in done.levels:
        x, y = np.round(level.centre_px).astype(int)
        assert (labels[x, y, :] == disc_label(level.name)).all()


def done_shape(spine: DrawnSpine, slices: int) -> tuple[int, int, int]:
    rows, columns = spine.shape
    return columns, rows, slices


def test_the_centre_in_millimetres_follows_the_affine() -> None:
    spine = DrawnSpine(map_peak=0.9)
    series = series_of(spine, origin=(10.0, 90.0, 200.0))
    level = segment(spine, series).level("L4-L5")
    assert level is not None
    assert level.centre_ras_mm is not None
    x, y = level.centre_px
    assert level.centre_ras_mm == pytest.approx((10.0 + 2 * 4.0, 90.0 - x * 0.7, 200.0 - y * 0.7))


def test_without_geometry_there_are_levels_ratios_and_a_notice_but_no_millimetres() -> None:
    spine = DrawnSpine(map_peak=0.9)
    done = segment(spine, series_of(spine, slices=1, has_spacing=False))
    assert len(done.levels) == 7
    assert all(level.centre_ras_mm is None for level in done.levels)
    assert all(item.value is None for item in done.measurements if item.unit == "mm")
    ratio = next(item for item in done.measurements if item.name == "disc_height_index" and item.level == "L3-L4")
    assert ratio.value is not None
    assert "Pixel spacing is unknown: nothing is measured in millimetres." in done.notices
    assert any("single sagittal slice" in notice for notice in done.notices)


def test_measurements_lie_on_the_middle_slice_of_the_primary_series() -> None:
    spine = DrawnSpine(map_peak=0.9)
    done = segment(spine)
    assert {item.series_id for item in done.measurements} == {"S1"}
    mid_sagittal = [item for item in done.measurements if item.name in ("disc_height", "canal_ap_diameter")]
    assert {item.slice_index for item in mid_sagittal} == {2}
    heights = {item.level: item.value for item in done.measurements if item.name == "disc_height"}
    assert heights["L3-L4"] == pytest.approx(spine.disc_height, abs=0.7)
    assert len({item.id for item in done.measurements}) == len(done.measurements)


def test_a_second_series_takes_the_levels_through_millimetres_and_settles_on_its_own_discs() -> None:
    spine = DrawnSpine(map_peak=0.9)
    shifted = replace(spine, size_mm=(330.0, 230.0))  # same spine 13.5 mm further to the right of the picture
    primary = series_of(spine)
    other = series_of(
        shifted,
        slices=7,
        name="S2",
        role="sagittal_t1",
        origin=(-4.0, 0.45 * (shifted.shape[1] - spine.shape[1]) * 0.7, 0.0),
    )
    done = segment(spine, other, primary)
    assert done.primary_series_id == "S1"
    moved = done.series_levels["S2"]
    assert [level.name for level in moved] == [level.name for level in done.levels]
    for level, own in zip(moved, done.levels, strict=True):
        truth = shifted.to_px(shifted.centres()[level.name])
        assert level.series_id == "S2"
        assert level.slice_index == 3
        assert np.hypot(level.centre_px[0] - truth[0], level.centre_px[1] - truth[1]) < 1.5
        assert level.confidence == own.confidence
        assert level.centre_ras_mm == pytest.approx(own.centre_ras_mm, abs=1.5)


def test_a_second_series_without_positions_is_named_on_its_own() -> None:
    spine = DrawnSpine(map_peak=0.9)
    other = series_of(replace(spine, row_mm=0.9, col_mm=0.9), name="S2", role="sagittal_t1", origin=None)
    done = segment(spine, series_of(spine), other)
    assert [level.name for level in done.series_levels["S2"]] == list(LUMBAR.levels)
    assert {region.series_id for region in done.regions} == {"S1", "S2"}


def test_a_second_series_without_a_spine_has_no_levels_and_does_not_stop_the_study() -> None:
    spine = DrawnSpine(map_peak=0.9)
    empty = series_of(spine, name="S2", role="sagittal_t1", origin=None)
    empty = replace(empty, volume=replace(empty.volume, array=np.ones_like(empty.volume.array)))
    done = segment(spine, series_of(spine), empty)
    assert done.series_levels["S2"] == ()
    assert len(done.levels) == 7


def test_regions_hold_the_level_and_structure_tokens_and_a_box_around_the_disc() -> None:
    spine = DrawnSpine(map_peak=0.9)
    done = segment(spine)
    assert [region.level for region in done.regions] == [level.name for level in done.levels]
    by_level = {region.level: region for region in done.regions}
    # prompts: disc 0, vertebra 1, canal 2, then L1-L2 3 ... L5-S1 7; token p is filled with p
    assert by_level["L5-S1"].embedding[:, 0].tolist() == [7, 0, 1, 2]
    assert by_level["T12-L1"].embedding[:, 0].tolist() == [0, 0, 1, 2]
    for level in done.levels:
        x0, y0, x1, y1 = by_level[level.name].box_px
        assert x0 < level.centre_px[0] < level.posterior_px[0] < x1
        assert y0 < level.centre_px[1] < y1
        assert x0 >= 0
        assert x1 <= spine.shape[1] - 1


def test_memory_is_bounded_and_long_series_are_read_in_part() -> None:
    spine = DrawnSpine(map_peak=0.9, row_mm=2.0, col_mm=2.0)
    network = DrawnNetwork(spine.level_maps())
    done = segment(spine, series_of(spine, slices=70), network=network)
    assert network.largest_batch <= BATCH
    assert network.slices_seen <= MAX_SLICES + 2
    assert done.label_maps[0].array.shape[2] == 70
    assert done.label_maps[0].array[:, :, 34].any()
    assert any("of 70 slices were outlined" in notice for notice in done.notices)


def test_read_slices_are_evenly_spread() -> None:
    spine = DrawnSpine(row_mm=4.0, col_mm=4.0)
    assert all_slices(series_of(spine, slices=5)) == (0, 1, 2, 3, 4)
    spread = all_slices(series_of(spine, slices=65))
    assert len(spread) <= MAX_SLICES
    assert set(np.diff(spread)) == {3}
    assert abs(spread[0] - (64 - spread[-1])) <= 1


def test_a_curved_spine_is_followed_from_slice_to_slice() -> None:
    spine = DrawnSpine(map_peak=0.9)
    series = series_of(spine, slices=7)
    array = series.volume.array.copy()
    for k in range(7):
        array[:, :, k] = np.roll(
            array[:, :, 3], 8 * (k - 3), axis=1
        )  # 5.6 mm up or down a slice, 17 mm at the ends
    moved = replace(series, volume=replace(series.volume, array=array))
    done = segment(spine, moved, network=DrawnNetwork())
    labels = done.label_maps[0].array
    for level in done.levels[1:]:
        x, y = np.round(level.centre_px).astype(int)
        middle = level.slice_index
        for k in range(7):
            assert labels[x, y + 8 * (k - middle), k] == disc_label(level.name), (level.name, k)


def test_an_anchor_renumbers_the_study_and_says_so() -> None:
    spine = DrawnSpine(map_peak=0.9)
    study = study_of(series_of(spine))
    point = spine.to_px(spine.centres()["L5-S1"])
    done = Segmenter(DrawnNetwork(spine.level_maps())).segment_study(study, LUMBAR, anchor=("L4-L5", point))
    assert done.levels[-1].name == "L4-L5"
    assert done.levels[-1].confidence == 1.0
    assert any("a person confirmed" in notice for notice in done.notices)
    with pytest.raises(ConfigError, match="no disc was found near"):
        Segmenter(DrawnNetwork()).segment_study(study, LUMBAR, anchor=("L4-L5", (1.0, 1.0)))


@pytest.mark.parametrize("kind", ["empty", "random", "few", "no canal"])
def test_what_is_no_spine_is_refused_with_one_sentence(kind: str) -> None:
    spine = DrawnSpine()
    rng = np.random.default_rng(1)
    classes = {
        "empty": np.zeros(spine.shape, dtype=np.uint8),
        "random": rng.integers(0, 4, spine.shape).astype(np.uint8),
        "few": DrawnSpine(levels=DISC_LEVELS[-2:]).classes(),
        "no canal": np.where(spine.classes() == 3, 0, spine.classes()).astype(np.uint8),
    }[kind]
    series = series_of(spine, slices=1)
    series = replace(series, volume=replace(series.volume, array=picture_of(classes).T[:, :, None]))
    with pytest.raises(NotEligibleError, match="no spine was found") as caught:
        segment(spine, series, network=DrawnNetwork())
    assert caught.value.code == "no_spine_found"
    assert "\n" not in str(caught.value)


def test_a_study_without_a_sagittal_series_is_refused() -> None:
    axial = series_of(DrawnSpine(row_mm=4.0, col_mm=4.0), plane=Plane.AXIAL, role="axial_t2")
    with pytest.raises(NotEligibleError, match="no sagittal series") as caught:
        sagittal_series(study_of(axial), LUMBAR)
    assert caught.value.code == "no_sagittal_series"


def test_the_primary_series_follows_the_order_of_roles() -> None:
    spine = DrawnSpine(row_mm=4.0, col_mm=4.0)
    unknown = series_of(spine, name="S1", role=None)
    t1 = series_of(spine, name="S2", role="sagittal_t1")
    t2 = series_of(spine, name="S3", role="sagittal_t2")
    assert [series.id for series in sagittal_series(study_of(unknown, t1, t2), LUMBAR)] == ["S3", "S2", "S1"]


def test_levels_outside_the_reported_ones_stay_in_the_label_map_only() -> None:
    spine = DrawnSpine(levels=DISC_LEVELS[-9:], map_peak=0.9, size_mm=(400.0, 200.0))
    done = segment(spine)
    assert [level.name for level in done.levels] == list(LUMBAR.levels)
    assert disc_label("T10-T11") in done.label_maps[0].array


def test_axial_series_without_weights_for_them_are_named_as_not_outlined() -> None:
    spine = DrawnSpine(map_peak=0.9)
    axial = series_of(DrawnSpine(row_mm=4.0, col_mm=4.0), name="S2", plane=Plane.AXIAL, role="axial_t2")
    done = segment(spine, series_of(spine), axial)
    assert "Axial series were not outlined: no weights for this plane are installed." in done.notices
    assert [item.series_id for item in done.label_maps] == ["S1"]


def test_the_room_exports_lazily_and_refuses_unknown_names() -> None:
    assert segmentation.Segmenter is Segmenter
    assert "segmentation.study" in sys.modules
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = segmentation.nothing
    assert to_levels((), series_of(DrawnSpine(row_mm=4.0, col_mm=4.0)), 0, None) == ()  # type: ignore[arg-type]
