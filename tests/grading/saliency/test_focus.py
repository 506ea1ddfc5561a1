"""The region a condition is about, on outlined and on other series, and the heat's share in it."""

from dataclasses import replace

import numpy as np
import pytest

from anatomy import Condition
from grading.saliency.focus import (
    Focus,
    Region,
    area_share,
    energy_share,
    find_region,
    load_focus,
    region_mask,
    series_frames,
    structure_label,
)
from runtime.errors import ConfigError
from tests.grading.factories import chain
from tests.grading.saliency.tiny import GEOMETRY, outline, outlined_study

SHAPE = (340, 220)


def region_of(condition: Condition, level: str = "L4-L5", series: int = 0, **options: object) -> Region | str:
    study, segmented = outlined_study(chain(), **options)  # type: ignore[arg-type]
    return find_region(condition, level, study.series[series], study, segmented, GEOMETRY)


@pytest.mark.parametrize(
    ("name", "level", "label"),
    [
        ("disc", "L5-S1", 201),
        ("vertebra_above", "L4-L5", 2),
        ("vertebra_below", "L4-L5", 1),
        ("vertebra_below", "L5-S1", 50),
        ("spinal_canal", "L4-L5", 100),
        ("spinal_cord", "L4-L5", 101),
    ],
)
def test_label_numbers(name: str, level: str, label: int) -> None:
    assert structure_label(name, level) == label


def test_every_row_of_the_table_can_be_read() -> None:
    table = load_focus()
    assert table[Condition.DISC_DEGENERATION].structures == ("disc",)
    assert Condition.NEURAL_FORAMINAL_NARROWING not in table
    with pytest.raises(ConfigError, match=r"expected names among disc, .*, got \['liver'\]"):
        Focus(("liver",))


def test_the_region_is_the_structure_of_its_level_and_a_margin() -> None:
    labels = outline(chain(), SHAPE)
    study, segmented = outlined_study(chain())
    frame = series_frames(study.series[0], segmented)["L3-L4"]
    plain = region_mask(labels, frame, Focus(("disc",)))
    assert np.array_equal(plain, labels == 203)
    wider = region_mask(labels, frame, Focus(("disc",), margin=0.1))
    rows = np.flatnonzero(wider.any(axis=1))
    discs = np.flatnonzero(plain.any(axis=1))
    assert (discs[0] - rows[0], rows[-1] - discs[-1]) == (4, 4)  # a tenth of a pitch of 40 pixels


def test_endplates_lie_beside_the_disc_on_their_own_side() -> None:
    upper, lower = region_of(Condition.UPPER_ENDPLATE_CHANGE), region_of(Condition.LOWER_ENDPLATE_CHANGE)
    assert isinstance(upper, Region)
    assert isinstance(lower, Region)
    y = chain()["L4-L5"][1]
    assert np.nonzero(upper.mask)[0].mean() < y - 5
    assert np.nonzero(lower.mask)[0].mean() > y + 5


def test_outlines_are_carried_to_a_series_of_another_place_and_size() -> None:
    second = {level: (1.25 * x - 20, 1.25 * y - 10) for level, (x, y) in chain().items()}
    own = region_of(Condition.DISC_NARROWING, second=second, shape=(420, 260))
    carried = region_of(Condition.DISC_NARROWING, series=1, second=second, shape=(420, 260))
    assert isinstance(own, Region)
    assert isinstance(carried, Region)
    assert carried.series_id == "S1"
    rows, columns = (values.mean() for values in np.nonzero(own.mask))
    found = [values.mean() for values in np.nonzero(carried.mask)]
    assert found == pytest.approx([1.25 * rows - 10, 1.25 * columns - 20], abs=1.0)
    assert carried.mask.sum() == pytest.approx(1.25**2 * own.mask.sum(), rel=0.05)


def test_why_there_is_no_region() -> None:
    assert region_of(Condition.NEURAL_FORAMINAL_NARROWING) == "no outlined structure belongs to this condition"
    study, segmented = outlined_study(chain())
    bare = replace(segmented, label_maps=())
    found = find_region(Condition.MODIC, "L4-L5", study.series[0], study, bare, GEOMETRY)
    assert found == "no outlines at L4-L5"
    empty = replace(segmented.label_maps[0], array=np.zeros_like(segmented.label_maps[0].array))
    found = find_region(
        Condition.DISC_NARROWING,
        "L4-L5",
        study.series[0],
        study,
        replace(segmented, label_maps=(empty,)),
        GEOMETRY,
    )
    assert found == "disc not outlined at L4-L5"


def test_even_heat_has_the_share_of_the_area() -> None:
    window, region = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    window[2:18, 5:25] = True
    region[10:20, 10:20] = True
    heat = np.full((20, 30), 0.4, np.float32)
    assert energy_share(heat, region, window) == pytest.approx(area_share(region, window)) == 80 / 320
    assert energy_share(np.where(region, heat, 0), region, window) == 1.0
    assert energy_share(np.where(region, 0, heat), region, window) == 0.0
    assert energy_share(np.zeros((20, 30), np.float32), region, window) is None
