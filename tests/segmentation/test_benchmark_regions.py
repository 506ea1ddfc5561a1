"""The region benchmark: its measures by hand, its truth, and a run with a network that knows the answer."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.regions import Stack, masks_of_stack, score_phantoms, surface_distance_px, truth_of
from benchmarks.regions.__main__ import load_model
from benchmarks.regions.cords import cord_figures, cord_stack, score_cords
from benchmarks.regions.phantoms import SETS, series_stack, stack_figures
from benchmarks.regions.pictures import COLOURS, outlined, sheet
from benchmarks.regions.template import score_template
from imaging.phantom.setup import load_setup
from imaging.types import Spacing
from runtime.errors import ConfigError, WeightsError
from segmentation.build import build_network
from segmentation.config import NetworkConfig
from segmentation.predict import SliceSegmenter
from segmentation.training.cords import CordVolume, cord_folds
from segmentation.training.data import CLASSES, UNKNOWN
from segmentation.types import SliceMaps
from tests.built_phantoms import built_phantom

CONFIG = NetworkConfig(
    structures=CLASSES,
    levels=(),
    widths=(8, 8, 8, 8, 8),
    token_dim=16,
    heads=2,
    view_sides_px=(64,),
    view_gammas=(1.0,),
    view_flips=(False,),
    context_slices=1,
)


def a_network() -> SliceSegmenter:
    torch.manual_seed(0)
    return SliceSegmenter(build_network(CONFIG), torch.randn(len(CLASSES), CONFIG.token_dim), CONFIG)


class Oracle(SliceSegmenter):
    """Sees a structure exactly where a slice has its grey value; notes the neighbours it was given."""

    def __init__(self, shift: int = 0) -> None:
        self.config, self.checksum, self.shift = CONFIG, "oracle", shift
        self.neighbours: NDArray[np.floating] | None = None

    def segment_slices(
        self,
        images: NDArray[np.floating],
        spacing: Spacing | None,
        neighbours: NDArray[np.floating] | None = None,
    ) -> SliceMaps:
        self.neighbours = neighbours
        labels = np.roll(images, self.shift, axis=2).astype(np.uint8)
        found = np.stack([truth_of(labels, name) for name in CLASSES], axis=1).astype(np.float32)
        empty = np.zeros((len(images), 0, 1, 1), dtype=np.float32)
        return SliceMaps(CLASSES, found, (), empty, (1.0, 1.0), (), empty[..., 0])


def test_the_distance_of_two_squares_is_that_worked_out_by_hand() -> None:
    one, other = np.zeros((2, 20, 20), dtype=bool), np.zeros((2, 20, 20), dtype=bool)
    one[0, 5:8, 5:8] = other[0, 5:8, 7:10] = True  # shifted by 2; outlines are the squares less their middle pixel
    away = [_away(one[0], other[0]), _away(other[0], one[0])]
    assert surface_distance_px(one, other) == pytest.approx(float(np.concatenate(away).mean()))
    assert surface_distance_px(one, one) == 0.0
    assert np.isnan(surface_distance_px(one[1:], other[:1]))  # a slice without one of both has no distance


def _away(from_mask: NDArray[np.bool_], to_mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance of each outline pixel to the nearest of the other outline, by trying all."""
    ends = [_outline(mask) for mask in (from_mask, to_mask)]
    return np.asarray([min(np.hypot(*(np.subtract(a, b))) for b in ends[1]) for a in ends[0]])


def _outline(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    inside = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    near = ((0, 1), (1, 0), (0, -1), (-1, 0))
    return [(y, x) for y, x in inside if any((y + dy, x + dx) not in inside for dy, dx in near)]


def test_the_canal_holds_the_cord_and_unknown_pixels_are_nothing() -> None:
    labels = np.array([[[0, 1, 3, 5, UNKNOWN]]], dtype=np.uint8)
    assert truth_of(labels, "spinal_canal").tolist() == [[[False, False, True, True, False]]]
    assert truth_of(labels, "spinal_cord").tolist() == [[[False, False, False, True, False]]]
    stack = Stack.of_series(1, np.full((1, 1, 5), 5, np.float32), labels, (1, 1), chosen=np.array([0]))
    assert masks_of_stack(Oracle(), stack)["spinal_cord"].tolist() == [[[True, True, True, True, False]]]


def test_neighbours_are_those_of_the_series_and_an_end_repeats_the_slice() -> None:
    images = np.arange(7, dtype=np.float32)[:, None, None] * np.ones((1, 4, 4), dtype=np.float32)
    stack = Stack.of_series(1, images, images.astype(np.uint8), (1, 1), chosen=np.array([0, 3, 6]), stride=2)
    assert stack.images[:, 0, 0].tolist() == [0, 3, 6]
    assert stack.neighbours[:, :, 0, 0].tolist() == [[0, 2], [1, 5], [4, 6]]
    network = Oracle()
    masks_of_stack(network, stack)
    assert network.neighbours is not None
    assert np.array_equal(network.neighbours, stack.neighbours)


def test_a_network_that_sees_the_truth_scores_one_and_a_shifted_one_less() -> None:
    setup = load_setup("test_sacroiliac")
    phantom = built_phantom(setup.protocol, setup.seeds["first"], setup.name)
    stack = series_stack(phantom.series[0], 1, 3)
    assert stack.images.shape == (3, *phantom.series[0].array.shape[1::-1])  # rows, columns
    seen = replace(stack, images=stack.labels.astype(np.float32))
    exact = stack_figures(Oracle(), seen, setup.protocol)
    assert exact["ilium Dice"] == exact["joint_space Dice"] == exact["sacrum Dice"] == 1.0
    assert exact["sacrum distance px"] == 0.0
    moved = stack_figures(Oracle(shift=3), seen, setup.protocol)
    assert 0.0 < moved["joint_space Dice"] < moved["sacrum Dice"] < 1.0
    assert 0.5 < moved["sacrum distance px"] <= 3.0


def test_what_the_truth_does_not_know_is_not_scored() -> None:
    labels = np.zeros((2, 8, 8), dtype=np.uint8)
    labels[0, :2], labels[0, 4:6], labels[0, 7] = (CLASSES.index(name) + 1 for name in ("sacrum", "ilium", "disc"))
    images = np.where(labels == 0, CLASSES.index("joint_space") + 1, labels).astype(np.float32)
    stack = Stack.of_series(1, images, labels, (1, 1), chosen=np.array([0]))
    lumbar = stack_figures(Oracle(), stack, "lumbar")
    assert "spinal_cord Dice" not in lumbar  # lumbar label maps count it as canal
    assert np.isnan(lumbar["joint_space Dice"])  # both bones in view, the joint not drawn
    assert stack_figures(Oracle(), stack, "sacroiliac")["joint_space Dice"] == 0.0


def test_a_random_network_scores_every_series_of_a_test_set() -> None:
    rows = list(score_phantoms(a_network(), "test_sacroiliac", patients=1, slices=1))
    assert {row.patient for row in rows} == {load_setup("test_sacroiliac").seeds["first"]}
    tasks = {row.task for row in rows}
    assert {f"test_sacroiliac {role} ilium Dice" for role in ("coronal_t1", "coronal_stir")} <= tasks
    assert all(0.0 <= row.value <= 1.0 for row in rows if "Dice" in row.task and np.isfinite(row.value))
    assert all(load_setup(name).seeds for name in SETS)


def test_cords_are_scored_by_the_network_of_their_fold() -> None:
    volume = CordVolume("sub", 10003, np.zeros((40, 50, 6), np.float32), np.zeros((40, 50, 6), bool), (4, 4, 5))
    volume.cord[10:14, 20:24, 1:5] = True
    volume.image[volume.cord] = CLASSES.index("spinal_cord") + 1
    fold = cord_folds()[10003]
    rows = {row.task: row for row in score_cords({fold: Oracle()}, [volume])}
    assert rows["gm_challenge T2* axial cord Dice"].value == 1.0
    assert rows["gm_challenge T2* axial cord missed in a slice"].value == 0.0
    assert rows["gm_challenge T2* axial cord area over the expert's"].value == 1.0
    assert list(score_cords({(fold + 1) % 5: Oracle()}, [volume])) == []
    moved = cord_figures(Oracle(shift=1), cord_stack(volume, "axial", 1))
    assert moved["cord Dice"] == pytest.approx(0.75)  # 3 of 4 columns shared
    lumbar = Oracle()
    lumbar.config = replace(CONFIG, structures=("disc", "vertebra"))
    with pytest.raises(ConfigError, match="expected the structure spinal_cord, got"):
        cord_figures(lumbar, cord_stack(volume, "axial", 1))


def test_the_template_finds_a_cord_that_looks_like_the_others_and_never_uses_its_own() -> None:
    rng = np.random.default_rng(0)
    volumes = [_made_up_neck(patient, place, rng) for patient, place in ((1, 60), (1, 64), (2, 70), (3, 66))]
    rows = list(score_template(volumes, "made up"))
    assert [row.patient for row in rows] == [1, 1, 2, 3]
    assert all(row.value > 0.95 for row in rows)
    alone = CordVolume("odd", 9, 100 - volumes[0].image, volumes[0].cord, volumes[0].spacing_mm)  # grey inverted
    assert {row.patient: row.value for row in score_template([*volumes, alone], "made up")}[9] < 0.2


def _made_up_neck(patient: int, place: int, rng: np.random.Generator) -> CordVolume:
    """Return a grey disc (a cord, 7 mm) in a bright one (13 mm) on noise, pixels of 0.5 mm."""
    i, j = np.ogrid[:140, :130]
    away = np.hypot(i - place, j - 65.0)
    image = rng.normal(30, 3, (140, 130, 3))
    image[away < 13] = 90
    image[away < 7] = 60
    cord = np.repeat((away < 7)[..., None], 3, axis=2)
    return CordVolume(f"neck{patient}", patient, image.astype(np.float32), cord, (0.5, 0.5, 5.0))


def test_pictures_show_outlines_side_by_side() -> None:
    mask = np.zeros((20, 30), dtype=bool)
    mask[5:10, 5:10] = True
    panel = outlined(np.ones((20, 30), dtype=np.float32), {"disc": mask})
    assert tuple(panel[5, 5]) == COLOURS["disc"]
    assert tuple(panel[7, 7]) == tuple(panel[0, 0]) == (255, 255, 255)
    assert sheet([panel] * 7).shape == (2 * 384, 6 * 384, 3)


def test_weights_are_found_by_path(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nothing_here"):
        load_model(str(tmp_path / "nothing_here"))


def test_the_record_of_a_run_holds_rows_and_figures(tmp_path: Path) -> None:
    from benchmarks.regions.__main__ import _tell
    from benchmarks.segmentation import Row

    _tell([Row("cord Dice", 1, 0.5), Row("cord Dice", 2, 0.7)], tmp_path / "regions.json", {"checksum": "abc"})
    record = json.loads((tmp_path / "regions.json").read_text(encoding="utf-8"))
    assert record["checksum"] == "abc"
    assert record["figures"]["cord Dice"]["value"] == pytest.approx(0.6)
