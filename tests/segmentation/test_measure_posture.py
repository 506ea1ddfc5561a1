"""Bodies, curvature, foramina and cord against blocks of known corners, over several slices; symmetry tests."""

from dataclasses import replace

import numpy as np
import pytest

from anatomy import disc_label, load_protocol
from imaging.types import Series, Study
from segmentation.measure import measure_study
from segmentation.types import LabelMap, Level
from tests.segmentation.block_spine import DISCS, BlockSpine, Table, as_table, measured, value

WEDGED = BlockSpine(
    bodies={"L3": (20.0, 27.0)}, discs={"L4-L5": (12.0, 7.0), "L5-S1": (13.0, 6.0), "L2-L3": (10.0, 8.0)}
)


@pytest.fixture(scope="module")
def wedged() -> Table:
    return measured(WEDGED)


@pytest.fixture(scope="module")
def wide() -> Table:
    """Seven slices of 4 mm with foramina that differ by side."""
    return measured(BlockSpine(slices=9, foramina={"L4-L5 left": (4.0, 13.0)}))


def test_vertebral_heights_ratio_and_wedge(wedged: Table) -> None:
    assert value(wedged, "vertebral_height_anterior", "L3") == pytest.approx(20.0, abs=0.7)
    assert value(wedged, "vertebral_height_posterior", "L3") == pytest.approx(27.0, abs=0.7)
    assert value(wedged, "vertebral_height_middle", "L3") == pytest.approx(23.5, abs=0.7)
    assert value(wedged, "vertebral_height_ratio", "L3") == pytest.approx(20.0 / 27.0, abs=0.03)
    assert value(wedged, "vertebral_wedge_angle", "L3") == pytest.approx(
        -np.degrees(np.arctan(7.0 / 34.0)), abs=1.2
    )
    front, back = WEDGED.edges()["L2 lower"]
    assert value(wedged, "vertebral_depth", "L2") == pytest.approx(np.linalg.norm(front - back), abs=0.7)
    assert value(wedged, "dural_sac_ratio", "L2") == pytest.approx(14.0 / np.linalg.norm(front - back), abs=0.03)
    assert value(wedged, "vertebral_height_ratio", "L2") == pytest.approx(1.0, abs=0.03)


def test_lordosis_is_the_angle_of_the_drawn_endplates_and_segments_add_up(wedged: Table) -> None:
    truth = WEDGED.angle("L1 upper") - WEDGED.angle("S1 upper")
    assert value(wedged, "lordosis") == pytest.approx(truth, abs=1.8)
    assert "L1 and S1" in wedged["lordosis", None, None].method
    parts = [value(wedged, "segmental_angle", level) for level in ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")]
    assert sum(parts) == pytest.approx(value(wedged, "lordosis"), abs=0.01)
    assert parts[3] == pytest.approx(WEDGED.angle("L4 upper") - WEDGED.angle("L5 upper"), abs=1.8)


def test_a_turned_spine_has_the_same_shape(wedged: Table) -> None:
    turned = measured(replace(WEDGED, turn=18.0))
    for key in (
        ("lordosis", None),
        ("listhesis", "L4-L5"),
        ("vertebral_height_anterior", "L3"),
        ("disc_height", "L2-L3"),
    ):
        assert value(turned, *key) == pytest.approx(
            value(wedged, *key), abs=1.8 if key[0] == "lordosis" else 0.7
        ), key


def test_twice_the_size_has_twice_the_lengths_and_the_same_angles_and_ratios(wedged: Table) -> None:
    large = measured(replace(WEDGED, scale=1.3))
    for name, place in (("disc_height", "L3-L4"), ("canal_ap_diameter", "L3-L4"), ("vertebral_depth", "L3")):
        assert value(large, name, place) == pytest.approx(1.3 * value(wedged, name, place), abs=0.8), name
    assert value(large, "lordosis") == pytest.approx(value(wedged, "lordosis"), abs=1.8)
    assert value(large, "vertebral_height_ratio", "L3") == pytest.approx(20 / 27, abs=0.03)


def test_lordosis_of_what_is_in_view_has_its_own_name() -> None:
    table = measured(WEDGED, names=("L2-L3", "L3-L4", "L4-L5", "L5-S1"))
    assert ("lordosis", None, None) not in table
    item = table["lordosis_in_view", None, None]
    assert item.value == pytest.approx(WEDGED.angle("L3 upper") - WEDGED.angle("S1 upper"), abs=1.8)
    assert "L3 and S1, what is in view" in item.method
    few = measured(WEDGED, names=("L4-L5", "L5-S1"))
    assert few["lordosis", None, None].reason == "fewer than 3 endplates are outlined"


def test_a_schmorl_node_does_not_turn_an_endplate() -> None:
    spine = BlockSpine()
    labels = spine.labels()
    x, y = (round(coordinate) for coordinate in spine.to_px(spine.edges()["L4 upper"][1]))
    x -= 18
    labels[x : x + 12, y - 2 : y + 5] = disc_label("L3-L4")
    found = measure_study(spine.study(), [LabelMap("S1", labels)], spine.levels(), load_protocol("lumbar"))
    table = as_table(found)
    assert value(table, "vertebral_wedge_angle", "L4") == pytest.approx(0.0, abs=1.2)
    assert value(table, "listhesis", "L3-L4") == pytest.approx(0.0, abs=0.7)


def test_a_curve_to_the_side_is_seen_across_the_slices_with_its_sign() -> None:
    order = (
        "S1 upper",
        *(f"{name} {end}" for name in ("L5", "L4", "L3", "L2", "L1", "T12") for end in ("lower", "upper")),
    )
    rises = dict(zip(order, np.linspace(-9.0, 9.0, len(order)), strict=True))
    table = measured(BlockSpine(slices=9, rises=rises))
    angle = value(table, "cobb_angle")
    # L1 upper against L5 lower: the upper one rises more to the right, so the bulge looks to the left.
    assert angle == pytest.approx(-(rises["L1 upper"] - rises["L5 lower"]) * -1, abs=1.8)
    assert table["cobb_angle", None, None].method.endswith("L1 to L5")
    mirrored = measured(BlockSpine(slices=9, rises={name: -rise for name, rise in rises.items()}))
    assert value(mirrored, "cobb_angle") == pytest.approx(-angle, abs=0.5)


def test_foramina_have_the_drawn_width_and_height_on_their_own_side(wide: Table) -> None:
    for side, width, height in (("left", 4.0, 13.0), ("right", 7.0, 18.0)):
        assert value(wide, "foraminal_width", "L4-L5", side) == pytest.approx(width, abs=0.75), side
        assert value(wide, "foraminal_height", "L4-L5", side) == pytest.approx(height, abs=1.4), side


def test_flipping_left_and_right_swaps_the_sides(wide: Table) -> None:
    flipped = measured(BlockSpine(slices=9, foramina={"L4-L5 right": (4.0, 13.0)}))
    for name in ("foraminal_width", "foraminal_height"):
        for side, other in (("left", "right"), ("right", "left")):
            assert value(flipped, name, "L4-L5", side) == pytest.approx(
                value(wide, name, "L4-L5", other), abs=0.05
            )


def test_sides_without_positions_or_on_one_slice_are_unknown() -> None:
    reason = "left and right are unknown: the slices have no positions"
    table = measured(BlockSpine())
    assert table["foraminal_width", "L4-L5", "left"].reason == reason
    assert table["cobb_angle", None, None].reason == "too few slices cross the bodies to see them from the front"


def turned_storage(spine: BlockSpine, *, flips: tuple[bool, bool, bool]) -> Table:
    """Measure the same voxels stored the other way round (as LPS files are), levels given in stored pixels."""
    study, labels = spine.study(), spine.labels()
    series = study.series[0]
    affine = spine.affine.copy()
    array = series.volume.array
    for axis, is_flipped in enumerate(flips):
        if is_flipped:
            affine[:3, 3] += affine[:3, axis] * (labels.shape[axis] - 1)
            affine[:3, axis] *= -1
            array, labels = np.flip(array, axis), np.flip(labels, axis)
    volume = replace(series.volume, array=array, affine=affine)
    moved = Study(study.key, study.source, study.protocol, (replace(series, volume=volume),))
    levels = tuple(_flipped(level, labels.shape, flips) for level in spine.levels())
    return as_table(measure_study(moved, [LabelMap("S1", labels)], levels, load_protocol("lumbar")))


def _flipped(level: Level, shape: tuple[int, ...], flips: tuple[bool, bool, bool]) -> Level:
    def point(at: tuple[float, float]) -> tuple[float, float]:
        x, y = ((size - 1 - value) if flip else value for value, size, flip in zip(at, shape, flips, strict=False))
        return x, y

    k = shape[2] - 1 - level.slice_index if flips[2] else level.slice_index
    return replace(level, centre_px=point(level.centre_px), posterior_px=point(level.posterior_px), slice_index=k)


def test_storage_order_changes_no_value_and_lines_stay_in_stored_pixels(wide: Table) -> None:
    spine = BlockSpine(slices=9, foramina={"L4-L5 left": (4.0, 13.0)})
    flips = (True, True, True)
    table = turned_storage(spine, flips=flips)
    assert set(table) == set(wide)
    for key, item in wide.items():
        if item.value is None:
            assert table[key].value is None, key
        else:
            assert table[key].value == pytest.approx(item.value, abs=0.02), key
    before, after = wide["disc_height", "L4-L5", None].line_px, table["disc_height", "L4-L5", None].line_px
    assert before is not None
    assert after is not None
    columns, rows, _ = spine.labels().shape
    for (x0, y0), (x1, y1) in zip(before, after, strict=True):
        assert (columns - 1 - x1, rows - 1 - y1) == pytest.approx((x0, y0), abs=0.1)


def test_the_cord_and_its_compression() -> None:
    spine = BlockSpine(cord=6.0, canal=13.0, canal_at={"L3-L4": 11.0})
    table = measured(spine, protocol="cervical")
    assert value(table, "cord_ap_diameter", "L3-L4") == pytest.approx(6.0, abs=0.75)
    assert value(table, "canal_ap_diameter", "L3-L4") == pytest.approx(11.0, abs=0.75)
    assert value(table, "maximum_canal_compromise", "L3-L4") == pytest.approx(1 - 11 / 13, abs=0.06)
    assert value(table, "maximum_cord_compression", "L3-L4") == pytest.approx(0.0, abs=0.1)
    assert value(table, "subarachnoid_space", "L1-L2") == pytest.approx(7.0, abs=0.8)
    bare = measured(BlockSpine(), protocol="cervical")
    assert bare["cord_ap_diameter", "L3-L4", None].reason == "the spinal cord is not outlined at this level"


def axial_of(spine: BlockSpine, width: float, slant_deg: float) -> tuple[Series, LabelMap]:
    """An axial stack with a canal of width x spine.canal, its slices turned about the left-right axis."""
    from imaging.geometry import spacing_of
    from imaging.types import Plane, Sequence, Volume

    slant = np.radians(slant_deg)
    up = np.array([0.0, np.sin(slant), np.cos(slant)])
    back = np.array([0.0, -np.cos(slant), np.sin(slant)])
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = (-0.5, 0.0, 0.0), 0.5 * back, 4.0 * up
    affine[:3, 3] = np.array([29.75, 0.25, 90.0]) - 4.0 * 12 * up - 0.5 * 60 * back
    i, j, k = np.meshgrid(np.arange(120), np.arange(160), np.arange(25), indexing="ij")
    world = np.einsum("ab,bijk->aijk", affine, np.stack([i, j, k, np.ones_like(i)]).astype(float))
    behind = -spine.depth / 2 - spine.gap
    inside = (np.abs(world[0]) < width / 2) & (world[1] < behind) & (world[1] > behind - spine.canal)
    labels = np.where(inside, 100, 0).astype(np.uint8)
    volume = Volume(labels.astype(np.float32), spacing_of(affine, 25), affine, (120, 160, 25))
    return Series("S2", "axial_t2", Plane.AXIAL, Sequence.T2, volume), LabelMap("S2", labels)


@pytest.mark.parametrize("slant", [0.0, 20.0])
def test_the_sac_s_area_does_not_depend_on_how_the_axial_slices_lie(slant: float) -> None:
    spine = BlockSpine(slices=3)
    study, levels = spine.study(), spine.levels()
    series, label_map = axial_of(spine, 18.0, slant)
    both = replace(study, series=(*study.series, series))
    found = measure_study(both, [LabelMap("S1", spine.labels()), label_map], levels, load_protocol("lumbar"))
    item = as_table(found)["dural_sac_area", "L3-L4", None]
    assert item.series_id == "S2"
    assert item.unit == "mm2"
    assert item.value == pytest.approx(18.0 * spine.canal, rel=0.05)
    alone = measure_study(study, [LabelMap("S1", spine.labels())], levels, load_protocol("lumbar"))
    assert as_table(alone)["dural_sac_area", "L3-L4", None].reason == "no axial series is outlined"


def test_a_spine_that_bends_to_the_side_is_cut_near_its_own_middle() -> None:
    spine = BlockSpine(slices=9)
    labels = spine.labels()
    moved = np.zeros_like(labels)
    _, rows, slices = labels.shape
    for row in range(rows):  # the lower half lies one slice further to the right
        shift = 1 if row > rows // 2 else 0
        moved[:, row, shift:] = labels[:, row, : slices - shift]
    found = as_table(
        measure_study(spine.study(), [LabelMap("S1", moved)], spine.levels(), load_protocol("lumbar"))
    )
    places = [found["canal_ap_diameter", level, None].slice_index for level in DISCS]
    assert places[0] == round(spine.middle) + 1
    assert places[-1] == round(spine.middle)
