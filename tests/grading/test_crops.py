"""Crops follow the chain: turned, scaled, stretched or shifted spines give the same windows."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from grading.config import CropGeometry
from grading.crops import LevelCrop, crop_frames, cut_crop, lay_frames, normalise_crops, smooth_for_crops
from tests.grading.factories import chain, draw_spine

GEOMETRY = CropGeometry()


def _cut(
    image: NDArray[np.float32], points: dict[str, tuple[float, float]], aspect: float = 1.0
) -> list[LevelCrop]:
    frames = crop_frames(points, aspect=aspect)
    smooth = smooth_for_crops(image, frames, GEOMETRY)
    return [cut_crop(smooth, frame, GEOMETRY) for frame in frames]


def _difference(first: list[LevelCrop], second: list[LevelCrop]) -> float:
    """Return the mean absolute difference of inner levels, as a share of the picture's range."""
    pairs = list(zip(first, second, strict=True))[1:-1]
    spread = float(np.ptp(first[3].image))
    return max(float(np.abs(a.image - b.image).mean()) / spread for a, b in pairs)


def test_straight_chain_by_hand() -> None:
    frames = crop_frames({"L3-L4": (100.0, 50.0), "L4-L5": (100.0, 90.0), "L5-S1": (100.0, 130.0)})
    middle = frames[1]
    assert middle.pitch == pytest.approx(40)
    assert middle.down == pytest.approx((0, 1))
    assert middle.front == pytest.approx((-1, 0))
    place = middle.image_points(np.array([0.5]), np.array([0.25]))
    np.testing.assert_allclose(place[:, 0], [80, 100])


def test_a_level_missing_in_between_keeps_the_pitch() -> None:
    points = chain()
    del points["L3-L4"]
    assert all(frame.pitch == pytest.approx(40) for frame in crop_frames(points))


def test_the_crop_shows_disc_in_front_and_canal_behind() -> None:
    points = chain()
    crop = _cut(draw_spine(points), points)[3].image
    column = round(GEOMETRY.front_pitches * GEOMETRY.pixels_per_pitch)
    middle = GEOMETRY.height_px // 2
    disc = crop[middle - 2 : middle + 2, column - 30 : column - 10].mean()
    marrow = crop[:8, column - 30 : column - 10].mean()
    canal = crop[:, column + 6 : column + 14].mean()
    assert disc == pytest.approx(300, abs=40)
    assert marrow == pytest.approx(500, abs=40)
    assert canal == pytest.approx(1000, abs=60)


@pytest.mark.parametrize("degrees", [-25.0, 12.0, 30.0])
def test_turning_the_picture_turns_the_crop_with_it(degrees: float) -> None:
    points = chain(lean=0.03)
    image = draw_spine(points)
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # on (row, column)
    centre = np.array([170.0, 110.0])
    turned = affine_transform(image, turn, offset=centre - turn @ centre, order=1)
    moved = {}
    for level, (x, y) in points.items():
        row, column = turn.T @ (np.array([y, x]) - centre) + centre
        moved[level] = (float(column), float(row))
    assert _difference(_cut(image, points), _cut(turned, moved)) < 0.05


def test_pixel_size_does_not_matter() -> None:
    points = chain()
    large = {level: (2 * x, 2 * y) for level, (x, y) in points.items()}
    small = _cut(draw_spine(points), points)
    big = _cut(draw_spine(large, shape=(680, 440), pitch=80.0), large)
    assert _difference(small, big) < 0.06


def test_stretched_pixels_are_undone_by_the_aspect() -> None:
    points = chain(lean=0.02)
    image = draw_spine(points)
    flat = image[::2]  # rows twice as far apart
    moved = {level: (x, y / 2) for level, (x, y) in points.items()}
    assert _difference(_cut(image, points), _cut(flat, moved, aspect=2.0)) < 0.06
    assert _difference(_cut(image, points), _cut(flat, moved, aspect=1.0)) > 0.1


def test_a_picture_with_front_on_the_right_is_not_taken_for_a_spine_seen_from_the_front() -> None:
    points = chain()
    image = draw_spine(points)
    flipped = {level: (image.shape[1] - 1 - x, y) for level, (x, y) in points.items()}
    assert _difference(_cut(image, points), _cut(np.ascontiguousarray(image[:, ::-1]), flipped)) > 0.2


def test_inside_tells_what_the_border_cuts_off() -> None:
    points = chain(top=(30.0, 40.0))
    crops = _cut(draw_spine(points), points)
    assert crops[3].inside == pytest.approx(30.5 / 40, abs=0.03)
    whole = chain()
    assert all(crop.inside == 1.0 for crop in _cut(draw_spine(whole), whole))


def test_box_is_round_the_disc_and_inside_the_slice() -> None:
    points = chain()
    crop = _cut(draw_spine(points), points)[3]
    x, y = points["L2-L3"]
    assert crop.box_px == pytest.approx((x - 40, y - 16, x, y + 16))
    near = chain(top=(20.0, 3.0))
    x0, y0, _, _ = _cut(draw_spine(near), near)[0].box_px
    assert (x0, y0) == (0, 0)


def test_grey_scale_is_the_slices_own() -> None:
    points = chain()
    first = np.stack([crop.image for crop in _cut(draw_spine(points), points)])
    second = np.stack([crop.image for crop in _cut(draw_spine(points) * 7 + 300, points)])
    np.testing.assert_allclose(normalise_crops(first), normalise_crops(second), atol=1e-3)
    assert normalise_crops(np.full((2, 4, 4), 5.0, dtype=np.float32)).max() == -1.0


def test_one_point_is_no_chain() -> None:
    with pytest.raises(ValueError, match="at least two posterior points, got 1"):
        crop_frames({"L4-L5": (1.0, 2.0)})


def test_coinciding_points_are_refused() -> None:
    with pytest.raises(ValueError, match="points apart"):
        crop_frames({"L4-L5": (1.0, 2.0), "L5-S1": (1.0, 2.0)})


def test_unguided_windows_are_one_and_the_same_and_hold_the_whole_chain() -> None:
    geometry = CropGeometry(guided=False)
    points = chain(lean=0.03)
    frames = lay_frames(points, geometry)
    assert len({(frame.origin_px, frame.pitch, frame.down) for frame in frames}) == 1
    assert [frame.level for frame in frames] == list(points)
    frame, rows = frames[0], [y for _, y in points.values()]
    reach = geometry.half_height_pitches * frame.pitch
    assert frame.origin_px[1] - reach <= min(rows)
    assert frame.origin_px[1] + reach >= max(rows)
    assert lay_frames(points, CropGeometry()) == crop_frames(points)
    beside = cut_crop(np.ones((8, 8), np.float32), frame, geometry)
    assert beside.is_whole, "no disc is aimed at, so none is cut off"
