"""The phantom's parts against formulas by hand."""

import numpy as np
import pytest

from imaging.phantom.grid import Grid
from imaging.phantom.lumbar.rules import grade_canal, grade_foramen, grade_narrowing, grade_pfirrmann
from imaging.phantom.lumbar.tables import load_tables
from imaging.phantom.shapes import Body, Bulges, Disc, Frame, outline_excess
from imaging.phantom.tissues import Palette, Tissue, load_tissues, spin_echo

RULES = load_tables().rules


def test_spin_echo_by_hand() -> None:
    tissue = Tissue(t1=1000.0, t2=100.0, pd=0.8)
    assert spin_echo(tissue, tr=1000.0, te=100.0) == pytest.approx(0.8 * (1 - np.exp(-1)) * np.exp(-1))


def test_contrast_is_that_of_t1_and_t2_weighting() -> None:
    fixed, _ = load_tissues()
    t1 = {name: spin_echo(tissue, tr=600, te=10) for name, tissue in fixed.items()}
    t2 = {name: spin_echo(tissue, tr=3500, te=110) for name, tissue in fixed.items()}
    assert t1["fat"] > t1["marrow"] > t1["cord"] > t1["csf"] > t1["cortex"]
    assert t2["csf"] > t2["marrow"] > t2["cord"] > t2["muscle"]
    assert t2["fat"] > t2["marrow"]


def test_palette_numbers_air_as_zero_and_refuses_a_name_twice() -> None:
    palette = Palette()
    assert palette.number("air") == 0
    with pytest.raises(ValueError, match="expected a new tissue name, got 'fat' again"):
        palette.add("fat", Tissue(t1=1, t2=1, pd=1))


@pytest.mark.parametrize(
    ("ap", "grade"),
    [(14.0, "normal_mild"), (12.0, "moderate"), (10.0, "moderate"), (9.99, "severe")],
)
def test_canal_rule_at_its_borders(ap: float, grade: str) -> None:
    assert grade_canal(ap, RULES) == (grade, "canal_ap_verbiest/1")


@pytest.mark.parametrize(
    ("width", "height", "grade"),
    [(3.0, 12.0, "normal_mild"), (2.9, 20.0, "moderate"), (1.9, 20.0, "severe"), (6.0, 7.9, "severe")],
)
def test_foramen_rule_takes_the_worse_of_width_and_height(width: float, height: float, grade: str) -> None:
    assert grade_foramen(width, height, RULES)[0] == grade


@pytest.mark.parametrize(
    ("t2", "loss", "grade"),
    [(210, 0, "I"), (129, 0, "II"), (84, 0.1, "III"), (51, 0.3, "IV"), (38, 0.65, "V"), (84, 0.65, "III")],
)
def test_pfirrmann_rule_gives_back_the_published_means(t2: float, loss: float, grade: str) -> None:
    assert grade_pfirrmann(t2, loss, RULES)[0] == grade


def test_narrowing_by_range_where_there_is_one_else_by_loss() -> None:
    discs = load_tables().discs
    assert grade_narrowing(7.75, 0.0, discs["L4-L5"], RULES)[0] == "present"
    assert grade_narrowing(7.77, 0.5, discs["L4-L5"], RULES)[0] == "absent"
    assert grade_narrowing(4.0, 0.31, discs["T11-T12"], RULES)[0] == "present"
    assert grade_narrowing(4.0, 0.29, discs["T11-T12"], RULES)[0] == "absent"


def test_frame_goes_to_the_world_and_back() -> None:
    frame = Frame(3.0, -12.0, 40.0, 0.3)
    x, y, z = frame.world(5.0, -7.0, 2.0)
    back = frame.local(np.array([x]), np.array([y]), np.array([z]))
    assert [float(value[0]) for value in back] == pytest.approx([5.0, -7.0, 2.0], abs=1e-4)
    # Leaning forward by 90 degrees turns "up along the body" to the front.
    assert Frame(0, 0, 0, np.pi / 2).world(0.0, 1.0) == pytest.approx((0.0, 1.0, 0.0), abs=1e-9)


def test_outline_excess_is_the_distance_on_the_axes() -> None:
    p, t = np.array([20.0, -10.0, 0.0]), np.array([0.0, 0.0, 25.0])
    excess = outline_excess(p, t, half_depth=15.0, half_width=20.0, hollow=0.0)
    assert excess == pytest.approx([5.0, -5.0, 5.0], abs=0.01)


def test_body_is_as_high_as_told_and_taller_in_front_by_its_wedge() -> None:
    body = Body("L5", 1, Frame(0, 0, 0, 0), 36.0, 44.0, 28.0, np.radians(6.0), 1.5, 1.0)
    at = np.array([-15.0, 0.0, 15.0])
    heights = body.top(at, np.zeros(3)) - body.bottom(at, np.zeros(3))
    assert heights[1] == pytest.approx(28.0 - 2.5)  # less both bowls
    assert heights[2] - heights[0] == pytest.approx(2 * 2 * 15.0 * np.tan(np.radians(3.0)), abs=1e-4)


def test_disc_margin_moves_back_by_the_bulge() -> None:
    none = Bulges(0.0, 0.0, 0.0, 5.0, (0.0, 0.0), 15.0)
    disc = Disc("L4-L5", 202, Frame(0, 0, 0, 0), 35.0, 43.0, 9.0, 0.0, 0.0, none)
    assert disc.margin(0.0) == pytest.approx(-17.5 + 1.2, abs=0.15)
    bulging = Disc(
        "L4-L5", 202, Frame(0, 0, 0, 0), 35.0, 43.0, 9.0, 0.0, 0.0, Bulges(3.0, 0.0, 0.0, 5.0, (0.0, 0.0), 15.0)
    )
    assert disc.margin(0.0) - bulging.margin(0.0) == pytest.approx(3.0, abs=0.15)


def test_grid_points_and_window_agree_with_the_affine() -> None:
    affine = np.array([[0, 0, 4.0, -8.0], [-0.7, 0, 0, 5.0], [0, -0.7, 0, 9.0], [0, 0, 0, 1.0]])
    grid = Grid(affine, (10, 12, 5), sub_slices=3)
    x, y, _ = grid.points()
    assert x.shape == (1, 1, 15)
    assert y.shape == (10, 1, 1)
    assert x[0, 0, 1] == pytest.approx(-8.0)  # the middle sub-slice lies at the slice
    assert x[0, 0, 0] == pytest.approx(-8.0 - 4.0 / 3)
    window = grid.window(((-1.0, 1.0, 4.0), (1.0, 3.0, 6.0)))
    assert window is not None
    inside_y = y[window[0], 0, 0]
    assert inside_y.min() <= 1.0 + 0.7
    assert inside_y.max() >= 3.0 - 0.7
    assert grid.window(((100.0, 0.0, 0.0), (101.0, 1.0, 1.0))) is None
