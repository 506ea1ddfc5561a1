"""Cells to crops and crops back to slices: what came from a place returns to it."""

import numpy as np
import pytest
import torch

from grading.config import CropGeometry
from grading.crops import CropFrame, crop_frames, crop_pixels, cut_crop
from grading.encoders import ENCODERS
from grading.saliency.place import WindowPlace, cell_stride, enlarge, onto_slice, window_mask
from tests.grading.factories import chain

GEOMETRY = CropGeometry()
SHAPE = (340, 220)


def frame_of(level: str, *, lean: float = 0.0, aspect: float = 1.0) -> CropFrame:
    points = {name: (x, y / aspect) for name, (x, y) in chain(lean=lean).items()}
    return next(frame for frame in crop_frames(points, aspect=aspect) if frame.level == level)


def place_of(frame: CropFrame) -> WindowPlace:
    return WindowPlace.of_pixels(crop_pixels(frame, GEOMETRY), SHAPE)


@pytest.mark.parametrize(("lean", "aspect"), [(0.0, 1.0), (0.08, 1.0), (0.08, 1.6)])
def test_pitches_undo_image_points(lean: float, aspect: float) -> None:
    frame = frame_of("L4-L5", lean=lean, aspect=aspect)
    front, down = np.array([0.0, 1.2, -0.5]), np.array([0.0, -0.6, 0.3])
    assert np.allclose(frame.pitches(*frame.image_points(front, down)), [front, down])


@pytest.mark.parametrize(("lean", "aspect"), [(0.0, 1.0), (0.08, 1.0), (0.08, 1.6)])
def test_a_spot_of_the_slice_comes_back_to_its_place(lean: float, aspect: float) -> None:
    frame = frame_of("L3-L4", lean=lean, aspect=aspect)
    spot_x, spot_y = frame.image_points(np.array(0.7), np.array(-0.25))
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    slice_image = np.exp(-((x - spot_x) ** 2 + (aspect * (y - spot_y)) ** 2) / (2 * 4.0**2)).astype(np.float32)
    crop = cut_crop(slice_image, frame, GEOMETRY).image
    back = onto_slice(crop, place_of(frame))
    assert np.abs(back - slice_image).max() < 0.05
    row, column = np.unravel_index(back.argmax(), back.shape)
    assert (row, column) == (round(float(spot_y)), round(float(spot_x)))


def test_nothing_is_laid_outside_the_window() -> None:
    frame = frame_of("L3-L4", lean=0.05)
    window = window_mask(place_of(frame))
    laid = onto_slice(np.ones((64, 96), np.float32), place_of(frame))
    assert np.array_equal(laid > 0, window)
    size = frame.pitch**2 * (GEOMETRY.front_pitches + GEOMETRY.back_pitches) * 2 * GEOMETRY.half_height_pitches
    assert window.sum() == pytest.approx(size, rel=0.02)


def test_a_cell_is_centred_on_its_own_pixel() -> None:
    cells = np.zeros((4, 6), np.float32)
    cells[1, 2] = 1.0
    heat = enlarge(cells, (64, 96))
    assert np.unravel_index(heat.argmax(), heat.shape) == (16, 32)
    assert heat[16, 40] == pytest.approx(0.5)
    assert heat[:, 48:].max() == 0
    assert np.allclose(enlarge(np.full((4, 6), 0.3, np.float32), (64, 96)), 0.3)


@pytest.mark.parametrize(("crop", "cells", "stride"), [(64, 4, 16), (40, 3, 16), (32, 8, 4)])
def test_strides_are_powers_of_two(crop: int, cells: int, stride: int) -> None:
    assert cell_stride(crop, cells) == stride


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if "net" in name else ()) for name in sorted(ENCODERS)],
)
def test_the_encoders_centre_their_cells_so(name: str) -> None:
    """The middle of what moves a cell, over random weights and pictures, is at stride times its index."""
    middle = np.zeros(2)
    for seed in range(2):
        torch.manual_seed(seed)
        trunk = ENCODERS[name]((8, 8, 16, 16), 16, 0.0, 1).eval().trunk
        trunk = trunk[0] if isinstance(trunk, torch.nn.Sequential) else trunk
        picture = torch.randn(1, 1, 128, 128, requires_grad=True)
        features = trunk(picture)
        assert features.shape[2:] == (8, 8)
        one = (features[:, :, 4, 4] * torch.randn(features.shape[1])).sum()
        weight = torch.autograd.grad(one, picture)[0].abs().sum((0, 1)).double()
        places = torch.arange(128, dtype=torch.float64)
        middle += [float((weight.sum(k) @ places) / weight.sum() / 2) for k in (1, 0)]
    assert np.allclose(middle, 4 * 16, atol=4.0)


def test_a_cell_of_a_turned_window_spans_its_upright_box() -> None:
    rows, columns = np.mgrid[:32, :48].astype(float)
    straight = WindowPlace.of_pixels(np.stack([10 + 0.5 * columns, 20 + 0.7 * rows]), (100, 90))
    assert straight.cell_px((2, 3)) == pytest.approx((16 * 0.7, 16 * 0.5))
    assert straight.box_px() == (10.0, 20.0, 33.0, 42.0)
    turned = WindowPlace.of_pixels(
        np.stack([80 - 0.6 * rows + 0.8 * columns, 5 + 0.8 * rows + 0.6 * columns]), (99, 99)
    )
    assert turned.cell_px((2, 3)) == pytest.approx((16 * 1.4, 16 * 1.4))
