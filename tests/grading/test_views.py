"""Windows beside and across the midline: they lie where they should, on any grid, and both sides look alike."""

import numpy as np
import pytest
from numpy.typing import NDArray

from anatomy import Side
from grading.config import GraderConfig, NetworkConfig
from grading.view_inputs import gather_windows, midline_slices, study_frames
from grading.views import Placement, cut_window, level_frames, load_views, smooth_for_view
from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from runtime.errors import ConfigError
from segmentation.types import LabelMap, Level, SegmentedStudy

VIEWS = load_views("lumbar")
POINTS = {"L2-L3": (0.0, 0.0, 30.0), "L3-L4": (0.0, 0.0, 0.0), "L4-L5": (0.0, 0.0, -30.0)}


def _sagittal(step: tuple[float, float, float] = (1.0, 1.0, 3.0)) -> NDArray[np.float64]:
    """Voxel -> RAS+: columns to the back, rows to the feet, slices to the patient's right."""
    affine = np.zeros((4, 4))
    affine[1, 0], affine[2, 1], affine[0, 2] = -step[0], -step[1], step[2]
    affine[:3, 3] = (-30.0, 60.0, 60.0)
    affine[3, 3] = 1
    return affine


def _axial() -> NDArray[np.float64]:
    """Voxel -> RAS+: columns to the patient's left, rows to the back, slices to the head."""
    affine = np.zeros((4, 4))
    affine[0, 0], affine[1, 1], affine[2, 2] = -1.0, -1.0, 4.0
    affine[:3, 3] = (60.0, 60.0, -60.0)
    affine[3, 3] = 1
    return affine


def _filled(affine: NDArray[np.float64], shape: tuple[int, int, int], axis: int) -> NDArray[np.float32]:
    """Return a volume whose value is the world coordinate of an axis."""
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    world = grid @ affine[:3, :3].T + affine[:3, 3]
    return np.asarray(world[..., axis], dtype=np.float32)


def test_a_frame_points_to_the_front_the_feet_and_the_left() -> None:
    frame = level_frames(POINTS)["L3-L4"]
    assert frame.pitch_mm == pytest.approx(30)
    np.testing.assert_allclose(frame.front, (0, 1, 0), atol=1e-12)
    np.testing.assert_allclose(frame.down, (0, 0, -1), atol=1e-12)
    np.testing.assert_allclose(frame.left, (-1, 0, 0), atol=1e-12)


def test_a_leaning_chain_turns_the_frame_with_it() -> None:
    leaning = level_frames({"L2-L3": (-10.0, 0.0, 30.0), "L3-L4": (0.0, 0.0, 0.0)})["L3-L4"]
    for one, other in ((leaning.front, leaning.down), (leaning.front, leaning.left), (leaning.down, leaning.left)):
        assert float(one @ other) == pytest.approx(0, abs=1e-12)
    assert level_frames({"L3-L4": (0.0, 0.0, 0.0)}) == {}


@pytest.mark.parametrize("side", [Side.LEFT, Side.RIGHT])
@pytest.mark.parametrize("step", [(1.0, 1.0, 3.0), (0.5, 0.7, 1.5)])
def test_a_foramen_window_lies_beside_the_midline_on_any_grid(side: Side, step: tuple[float, ...]) -> None:
    view, frame, affine = VIEWS["foramen_t1"], level_frames(POINTS)["L3-L4"], _sagittal(step)
    shape = (round(130 / step[0]), round(130 / step[1]), round(60 / step[2]))
    read = [cut_window(_filled(affine, shape, axis), affine, frame, view, side) for axis in range(3)]
    assert all(window is not None for window in read)
    x, y, z = (window.image for window in read if window is not None)
    sign = -1 if side is Side.LEFT else 1  # the patient's left is towards smaller x
    assert x[1].mean() == pytest.approx(sign * view.beside * 30, abs=step[2] / 2 + 1e-3)
    assert sign * (x[2].mean() - x[1].mean()) > 0  # slices run outwards
    assert (np.diff(y[1], axis=1) < 0).all()  # columns run to the back
    assert (np.diff(z[1], axis=0) < 0).all()  # rows run to the feet
    assert y[1].max() == pytest.approx(view.ahead * 30, abs=1)
    assert z[1].max() == pytest.approx(view.above * 30, abs=1)


def test_windows_of_both_sides_look_alike_where_the_body_does() -> None:
    view, frame, affine = VIEWS["recess_t2"], level_frames(POINTS)["L3-L4"], _axial()
    mirrored = np.abs(_filled(affine, (120, 120, 30), 0)) + _filled(affine, (120, 120, 30), 1)
    left, right = (cut_window(mirrored, affine, frame, view, side) for side in (Side.LEFT, Side.RIGHT))
    assert left is not None
    assert right is not None
    np.testing.assert_allclose(left.image, right.image, atol=1e-3)
    lateral = cut_window(_filled(affine, (120, 120, 30), 0), affine, frame, view, Side.LEFT)
    assert lateral is not None
    assert (np.diff(lateral.image[1], axis=1) < 0).all()  # away from the other side: to the patient's left
    assert (left.slice_index, left.image.shape) == (15, (3, 64, 64))


def test_a_level_beyond_the_slices_gives_nothing() -> None:
    affine = _axial()
    volume = np.ones((120, 120, 10), dtype=np.float32)  # from -60 to -24 mm
    frames = level_frames(POINTS)
    view = VIEWS["recess_t2"]
    assert cut_window(volume, affine, frames["L4-L5"], view, Side.LEFT) is not None
    assert cut_window(volume, affine, frames["L3-L4"], view, Side.LEFT) is None
    narrow = np.ones((40, 120, 30), dtype=np.float32)  # its columns end 20 mm to the right
    assert cut_window(narrow, affine, frames["L3-L4"], view, Side.LEFT) is None


def test_a_margin_shows_more_of_the_same() -> None:
    view, frame, affine = VIEWS["foramen_t2"], level_frames(POINTS)["L3-L4"], _sagittal()
    volume = _filled(affine, (130, 130, 20), 2)
    plain = cut_window(volume, affine, frame, view, Side.RIGHT)
    wide = cut_window(volume, affine, frame, view, Side.RIGHT, Placement(margin=1.5, slices=5))
    assert plain is not None
    assert wide is not None
    assert wide.image.shape == (5, 96, 96)
    np.testing.assert_allclose(wide.image[1:4, 16:80, 16:80], plain.image, atol=1e-3)


def test_fine_slices_are_smoothed_and_coarse_ones_are_not() -> None:
    noise = np.random.default_rng(0).normal(size=(60, 60, 2)).astype(np.float32)
    assert smooth_for_view(noise, 0.2, 30, VIEWS["recess_t2"]).std() < 0.5 * noise.std()
    assert smooth_for_view(noise, 1.0, 30, VIEWS["recess_t2"]) is noise


def _study(*, with_canal: bool, canal_at: int = 10) -> tuple[Study, SegmentedStudy]:
    affine, shape = _sagittal(), (130, 130, 20)
    array = np.random.default_rng(0).random(shape).astype(np.float32)
    volume = Volume(array, Spacing(1, 1, 3), affine, shape)
    series = Series("S1", "sagittal_t2", Plane.SAGITTAL, Sequence.T2, volume)
    levels = tuple(
        Level(name, "S1", 8, (50, 60 - z), (60, 60 - z), None, 0.0, 30.0, 0.9)
        for name, (_, _, z) in POINTS.items()
    )
    labels = np.zeros(shape, dtype=np.uint8)
    if with_canal:
        labels[62:75, 20:110, canal_at - 2 : canal_at + 3] = 100
    segmented = SegmentedStudy((LabelMap("S1", labels),), "S1", levels, {"S1": levels}, ())
    return Study("k", SourceKind.NIFTI, "lumbar", (series,)), segmented


def test_the_midline_is_where_the_canal_is() -> None:
    _, segmented = _study(with_canal=True, canal_at=12)
    assert set(midline_slices(segmented).values()) == {12.0}
    _, segmented = _study(with_canal=False)
    assert set(midline_slices(segmented).values()) == {8.0}


def test_a_study_gives_the_windows_it_shows_and_says_where() -> None:
    study, segmented = _study(with_canal=True)
    config = GraderConfig(network=NetworkConfig(views=("foramen_t1", "foramen_t2", "recess_t2")))
    assert study_frames(study, segmented)["L3-L4"].origin == pytest.approx((0, 0, 0))
    found = gather_windows(study, segmented, config)
    assert list(found) == ["foramen_t2"]
    assert set(found["foramen_t2"].windows) == {(name, side) for name in POINTS for side in Side}
    evidence = found["foramen_t2"].evidence["L3-L4", Side.LEFT]
    assert evidence.slice_index == 5  # 14 mm to the left of slice 10
    x0, y0, x1, y1 = evidence.box_px
    assert x0 < 66 < x1
    assert y0 < 57 < y1


def test_unknown_regions_and_views_are_refused() -> None:
    with pytest.raises(ConfigError, match="views: expected one of lumbar"):
        load_views("thoracic")
    with pytest.raises(ConfigError, match=r"network.views: expected names among foramen_t1.* got \['moon'\]"):
        GraderConfig(network=NetworkConfig(views=("moon",)))
