"""What is measured at a level of one sagittal slice, against blocks of known corners; every reason."""

from dataclasses import replace

import numpy as np
import pytest

from anatomy import disc_label, load_protocol, vertebra_label
from imaging.types import Sequence
from segmentation.measure import load_quantities, measure_study
from segmentation.types import LabelMap
from tests.segmentation.block_spine import DISCS, BlockSpine, as_table, measured, value

PIXELS = [(0.7, 0.7), (0.5, 0.9), (1.0, 0.6)]


@pytest.mark.parametrize("pixel", PIXELS)
def test_disc_heights_are_right_within_a_pixel_whatever_the_pixels(pixel: tuple[float, float]) -> None:
    heights = {"L5-S1": (11.0, 11.0), "L4-L5": (6.0, 6.0), "L3-L4": (4.0, 4.0)}
    table = measured(BlockSpine(discs=heights, pixel=pixel, turn=20.0))
    for level in DISCS:
        truth = heights.get(level, (9.0, 9.0))[0]
        for name in ("disc_height", "disc_height_anterior", "disc_height_posterior"):
            assert value(table, name, level) == pytest.approx(truth, abs=0.8 * max(pixel)), (name, level)
            assert table[name, level, None].unit == "mm"


def test_a_wedged_disc_is_higher_in_front() -> None:
    table = measured(BlockSpine(discs={"L4-L5": (13.0, 5.0)}))
    # Means of the windows 0.08 to 1/3, 1/3 to 2/3 and 2/3 to 0.92 of the length, heights falling from 13 to 5.
    assert value(table, "disc_height_anterior", "L4-L5") == pytest.approx(13 - 8 * (0.08 + 1 / 3) / 2, abs=0.7)
    assert value(table, "disc_height", "L4-L5") == pytest.approx(9.0, abs=0.7)
    assert value(table, "disc_height_posterior", "L4-L5") == pytest.approx(13 - 8 * (2 / 3 + 0.92) / 2, abs=0.7)


def test_the_line_of_a_height_is_as_long_as_the_height() -> None:
    spine = BlockSpine(pixel=(0.6, 0.8))
    item = measured(spine)["disc_height", "L4-L5", None]
    assert item.line_px is not None
    first, second = (np.array(point) * [0.8, 0.6] for point in item.line_px)
    assert np.linalg.norm(second - first) == pytest.approx(item.value)


def test_the_height_index_is_disc_over_body_and_needs_no_spacing() -> None:
    spine = BlockSpine()
    table, unknown = measured(spine), measured(spine, has_spacing=False)
    assert value(table, "disc_height_index", "L3-L4") == pytest.approx(9.0 / 27.0, rel=0.06)
    assert value(unknown, "disc_height_index", "L3-L4") == pytest.approx(9.0 / 27.0, rel=0.06)
    stretched = measured(BlockSpine(pixel=(0.7, 1.0)), has_spacing=False)
    assert value(stretched, "disc_height_index", "L3-L4") == pytest.approx(9.0 / 27.0, rel=0.08)


def test_front_and_rear_index_follow_their_heights_and_need_no_spacing() -> None:
    table, unknown = measured(BlockSpine()), measured(BlockSpine(), has_spacing=False)
    for part in ("anterior", "posterior"):
        share = value(table, f"disc_height_{part}", "L4-L5") / value(table, "disc_height", "L4-L5")
        index = value(table, f"disc_height_index_{part}", "L4-L5")
        assert index == pytest.approx(share * value(table, "disc_height_index", "L4-L5"), rel=1e-6)
        assert value(unknown, f"disc_height_index_{part}", "L4-L5") == pytest.approx(index, rel=0.1)


def test_without_spacing_only_ratios_along_one_direction_and_signals_have_values() -> None:
    kinds = {name: quantity.needs_spacing for name, quantity in load_quantities().items()}
    table = measured(BlockSpine(), has_spacing=False, has_positions=False)
    for (name, place, _), item in table.items():
        if kinds[name]:
            assert item.value is None, (name, place)
            assert item.reason
            assert item.percentile is None
    assert table["disc_height", "L3-L4", None].reason == "pixel spacing unknown"
    assert table["lordosis", None, None].reason == "pixel spacing unknown"
    for name in ("disc_height_index", "listhesis_percent", "csf_signal_ratio"):
        assert table[name, "L3-L4", None].value is not None, name
    assert table["dural_sac_ratio", "L3", None].value is not None


@pytest.mark.parametrize("width", [6.0, 10.0, 15.0])
@pytest.mark.parametrize("turn", [0.0, 25.0])
def test_canal_width_is_right_within_a_pixel(width: float, turn: float) -> None:
    table = measured(BlockSpine(canal=width, turn=turn))
    for level in DISCS:
        assert value(table, "canal_ap_diameter", level) == pytest.approx(width, abs=0.8), level


def test_a_narrowing_at_a_disc_is_that_disc_s_canal_width() -> None:
    table = measured(BlockSpine(canal_at={"L3-L4": 8.0}))
    assert value(table, "canal_ap_diameter", "L3-L4") == pytest.approx(8.0, abs=0.8)
    assert value(table, "canal_ap_diameter", "L2-L3") == pytest.approx(14.0, abs=0.8)


def test_a_canal_that_is_not_outlined_or_broken_has_no_width_but_a_reason() -> None:
    spine = BlockSpine()
    assert (
        measured(replace(spine, without=(100,)))["canal_ap_diameter", "L3-L4", None].reason
        == "the spinal canal is not outlined at this level"
    )
    labels = spine.labels()
    row = round(spine.levels()[3].posterior_px[1])
    labels[:, row - 2 : row + 3, :] = np.where(
        labels[:, row - 2 : row + 3, :] == 100, 0, labels[:, row - 2 : row + 3]
    )
    level = spine.levels()[3].name
    found = measure_study(spine.study(), [LabelMap("S1", labels)], spine.levels(), load_protocol("lumbar"))
    table = as_table(found)
    reason = "the outline of the spinal canal is interrupted at this level"
    assert table["canal_ap_diameter", level, None].reason == reason
    assert table["canal_ap_diameter", "L1-L2", None].value is not None


@pytest.mark.parametrize("slip", [-5.0, 0.0, 4.0, 9.0])
@pytest.mark.parametrize("level", ["L5-S1", "L4-L5"])
def test_slip_is_right_within_a_pixel_with_its_sign_also_on_the_sacrum(slip: float, level: str) -> None:
    table = measured(BlockSpine(slips={level: slip}, turn=30.0, discs={level: (10.0, 6.0)}))
    assert value(table, "listhesis", level) == pytest.approx(slip, abs=0.7)
    assert value(table, "listhesis_percent", level) == pytest.approx(100 * slip / 34.0, abs=2.5)
    assert table["listhesis_percent", level, None].unit == "%"
    assert value(table, "listhesis", "L2-L3") == pytest.approx(0.0, abs=0.7)


@pytest.mark.parametrize("pixel", PIXELS[1:])
def test_slip_with_oblong_pixels(pixel: tuple[float, float]) -> None:
    table = measured(BlockSpine(slips={"L4-L5": 6.0}, pixel=pixel, turn=-15.0))
    assert value(table, "listhesis", "L4-L5") == pytest.approx(6.0, abs=max(pixel))


def test_slip_without_a_sacrum_or_a_vertebra_says_so() -> None:
    table = measured(BlockSpine(without=(50,)))
    for name in ("listhesis", "listhesis_percent"):
        assert table[name, "L5-S1", None].reason == "the sacrum is not segmented"
    gone = measured(BlockSpine(without=(vertebra_label("L5"),)))
    reason = gone["listhesis", "L4-L5", None].reason
    assert reason == "the upper endplate of the vertebra below is not outlined"


def test_a_wall_grown_together_with_the_pedicle_cannot_be_traced() -> None:
    spine = BlockSpine()
    labels = spine.labels()
    columns, rows, _ = np.nonzero(labels == vertebra_label("L4"))
    labels[columns.max() - 3 : columns.max() + 50, rows.min() : rows.max() + 1] = vertebra_label("L4")
    found = measure_study(spine.study(), [LabelMap("S1", labels)], spine.levels(), load_protocol("lumbar"))
    assert as_table(found)["listhesis", "L3-L4", None].reason == "a posterior vertebral wall cannot be traced"


def test_missing_and_cut_discs_have_reasons() -> None:
    gone = measured(BlockSpine(without=(disc_label("L2-L3"),)))
    for name in ("disc_height", "disc_height_index", "listhesis"):
        assert gone[name, "L2-L3", None].reason == "the disc is not outlined", name
    spine = BlockSpine()
    top = round(spine.levels()[0].centre_px[1])
    cut = measured(replace(spine, shift=(0.0, -top * 0.7)))
    assert cut["disc_height", "T12-L1", None].reason == "the disc is cut by the image border"
    assert cut["vertebral_height_anterior", "L1", None].value is None or cut["disc_height", "L1-L2", None].value
    assert value(cut, "disc_height", "L1-L2") == pytest.approx(9.0, abs=0.6)


def test_the_index_has_no_value_when_no_body_is_in_full_view() -> None:
    table = measured(BlockSpine(), names=("L2-L3",))
    assert table["disc_height_index", "L2-L3", None].reason == "no neighbouring vertebral body is in full view"


def test_the_csf_ratio_is_that_of_the_signals_and_only_on_t2() -> None:
    spine = BlockSpine()
    labels = spine.labels()
    image = np.where(labels == 100, 1000.0, 100.0).astype(np.float32)
    _, y = spine.levels()[3].posterior_px
    band = slice(round(y) - 14, round(y) + 15)
    image[:, band] = np.where(labels[:, band] == 100, 400.0, image[:, band])
    level = spine.levels()[3].name
    study = spine.study(image=image)
    maps, levels, protocol = [LabelMap("S1", labels)], spine.levels(), load_protocol("lumbar")
    table = as_table(measure_study(study, maps, levels, protocol))
    assert value(table, "csf_signal_ratio", level) == pytest.approx(0.4, abs=0.01)
    assert value(table, "csf_signal_ratio", "L1-L2") == pytest.approx(1.0, abs=0.01)
    t1 = replace(study, series=(replace(study.series[0], sequence=Sequence.T1),))
    reason = as_table(measure_study(t1, maps, levels, protocol))["csf_signal_ratio", level, None].reason
    assert reason == "CSF is bright on T2-weighted images only, and none is outlined"


def test_ids_run_from_m1_and_every_item_has_a_value_or_a_reason() -> None:
    spine = BlockSpine()
    found = measure_study(spine.study(), [LabelMap("S1", spine.labels())], spine.levels(), load_protocol("lumbar"))
    assert [item.id for item in found] == [f"m{number}" for number in range(1, len(found) + 1)]
    assert all((item.value is None) == (item.reason is not None) for item in found)
    assert {item.name for item in found} <= set(load_quantities())
    assert all(item.method.startswith(load_quantities()[item.name].method) for item in found)
    first = [item.name for item in found[:9]]
    assert first == [
        "disc_height", "disc_height_anterior", "disc_height_posterior", "disc_height_index",
        "disc_height_index_anterior", "disc_height_index_posterior", "canal_ap_diameter",
        "listhesis", "listhesis_percent",
    ]  # fmt: skip


def test_label_maps_and_levels_must_fit_the_study() -> None:
    spine = BlockSpine()
    study, labels, protocol = spine.study(), spine.labels(), load_protocol("lumbar")
    with pytest.raises(ValueError, match=r"expected series among \['S1'\], got \['S9'\]"):
        measure_study(study, [LabelMap("S9", labels)], (), protocol)
    with pytest.raises(ValueError, match="expected shape"):
        measure_study(study, [LabelMap("S1", labels[1:])], spine.levels(), protocol)
    with pytest.raises(ValueError, match="expected a label map of their series 'S1', got none"):
        measure_study(study, [], spine.levels(), protocol)
    assert measure_study(study, [], (), protocol) == ()
