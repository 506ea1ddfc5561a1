"""Disc candidates, the chain and numbered vertebrae against drawn truth."""

from dataclasses import replace

import numpy as np
import pytest

from anatomy import disc_label, vertebra_label
from imaging.types import Spacing
from segmentation.blobs import find_blobs
from segmentation.chain import DiscChain
from segmentation.classes import CANAL, DISC, SACRUM, VERTEBRA, classify
from segmentation.frame import SliceFrame, caudal_normal
from segmentation.instances import chain_discs, number_slice
from segmentation.shapes import build_shape
from segmentation.vertebrae import DiscPlane
from tests.segmentation.drawn_spine import DrawnSpine, maps_of


def chain_of(classes: np.ndarray, frame: SliceFrame) -> DiscChain:
    maps = maps_of(classes[None])
    return chain_discs(classify(maps.structures, maps.probabilities[0]), frame)


def centres_px(chain: DiscChain, frame: SliceFrame) -> np.ndarray:
    return np.array([frame.to_px(disc.centre) for disc in chain.discs])


def truth_px(spine: DrawnSpine) -> np.ndarray:
    return np.array(
        [spine.to_px(centre) for level, centre in spine.centres().items() if level not in spine.without]
    )


def planes(spine: DrawnSpine) -> tuple[DiscPlane, ...]:
    return tuple(
        DiscPlane(level, centre, spine.posterior(level), spine.axis(level))
        for level, centre in spine.centres().items()
    )


def test_every_disc_is_found_in_order_with_its_centre_and_axis() -> None:
    spine = DrawnSpine()
    frame = SliceFrame.of(spine.spacing)
    chain = chain_of(spine.classes(), frame)
    assert np.abs(centres_px(chain, frame) - truth_px(spine)).max() < 1.0
    for disc, level in zip(chain.discs, spine.levels, strict=True):
        assert float(disc.axis @ spine.axis(level)) > np.cos(np.radians(2.0))
        assert disc.length == pytest.approx(spine.disc_length, abs=2 * frame.pixel_side)
        assert disc.thickness == pytest.approx(spine.disc_height, abs=frame.pixel_side)
        assert np.linalg.norm(disc.posterior - spine.posterior(level)) < 1.5


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_without_spacing_the_same_discs_are_found_at_any_picture_size(scale: float) -> None:
    spine = DrawnSpine(row_mm=0.7 / scale, col_mm=0.7 / scale)
    frame = SliceFrame.of(None)
    chain = chain_of(spine.classes(), frame)
    assert len(chain.discs) == len(spine.levels)
    assert np.abs(centres_px(chain, frame) - truth_px(spine)).max() < 1.0 + scale


def test_oblong_pixels_are_honoured() -> None:
    spine = DrawnSpine(row_mm=1.1, col_mm=0.5)
    chain = chain_of(spine.classes(), SliceFrame.of(Spacing(1.1, 0.5)))
    lowest = chain.discs[-1]
    angle = np.degrees(np.arctan2(lowest.axis[1], lowest.axis[0]))
    assert angle == pytest.approx(spine.tilt("L5-S1"), abs=3.0)


def test_a_disc_in_two_pieces_is_joined() -> None:
    spine = DrawnSpine()
    classes = spine.classes()
    x, y = np.round(spine.to_px(spine.centres()["L2-L3"])).astype(int)
    classes[y - 15 : y + 15, x - 2 : x + 2] = 0
    frame = SliceFrame.of(spine.spacing)
    chain = chain_of(classes, frame)
    assert np.abs(centres_px(chain, frame) - truth_px(spine)).max() < 2.0


def test_two_discs_grown_together_are_cut() -> None:
    spine = DrawnSpine()
    classes = spine.classes()
    x, top = spine.to_px(spine.centres()["L2-L3"])
    _, bottom = spine.to_px(spine.centres()["L3-L4"])
    classes[round(top) : round(bottom), round(x) - 1 : round(x) + 2] = DISC
    frame = SliceFrame.of(spine.spacing)
    blobs = find_blobs(classes == DISC, (classes == DISC).astype(np.float32), frame)
    assert len(blobs) == len(spine.levels)


def test_specks_and_discs_off_the_spine_are_left_out() -> None:
    spine = DrawnSpine()
    classes = spine.classes()
    classes[40:43, 20:24] = DISC
    classes[250:262, 5:50] = DISC  # as large as a disc, far in front
    frame = SliceFrame.of(spine.spacing)
    assert np.abs(centres_px(chain_of(classes, frame), frame) - truth_px(spine)).max() < 1.0


def test_an_empty_slice_has_no_chain() -> None:
    assert chain_of(np.zeros((64, 64), dtype=np.uint8), SliceFrame.of(None)).discs == ()


def test_a_blob_of_one_direction_points_to_the_back() -> None:
    pixels = np.array([[x, 10] for x in range(30)], dtype=np.intp)
    shape = build_shape(pixels, np.ones((20, 40), dtype=np.float32), SliceFrame.of(None))
    assert shape.axis == pytest.approx([1.0, 0.0])
    assert caudal_normal(shape.axis) == pytest.approx([0.0, 1.0])
    assert shape.touches_border


def test_classes_take_the_most_probable_structure_above_one_half() -> None:
    maps = maps_of(np.zeros((1, 2, 2), dtype=np.uint8))
    probabilities = maps.probabilities[0].copy()
    probabilities[:, 0, 0] = [0.6, 0.7, 0.1]
    probabilities[:, 1, 1] = [0.3, 0.4, 0.45]
    classes = classify(maps.structures, probabilities).classes
    assert classes.tolist() == [[VERTEBRA, 0], [0, 0]]


def test_vertebrae_get_the_number_of_their_level_and_spinous_processes_that_of_their_body() -> None:
    spine = DrawnSpine()
    frame = SliceFrame.of(spine.spacing)
    labels = number_slice(spine.classes(), (), planes(spine), spine.pitch, frame)
    centres = spine.centres()
    for upper, lower in zip(spine.levels, spine.levels[1:], strict=False):
        middle = (centres[upper] + centres[lower]) / 2
        vertebra = lower.split("-")[0]
        x, y = np.round(spine.to_px(middle)).astype(int)
        assert labels[y, x] == vertebra_label(vertebra)
        behind = middle + spine.spinous_offset
        x, y = np.round(spine.to_px(behind)).astype(int)
        assert labels[y, x] == vertebra_label(vertebra), f"spinous process of {vertebra}"
    x, y = np.round(spine.to_px(centres[spine.levels[0]] - [0, 0.5 * spine.pitch])).astype(int)
    assert labels[y, x] == vertebra_label(spine.levels[0].split("-")[0])
    assert (labels == 100).sum() == (spine.classes() == CANAL).sum()


def test_bodies_joined_through_the_posterior_elements_are_still_told_apart() -> None:
    spine = DrawnSpine()
    frame = SliceFrame.of(spine.spacing)
    classes = spine.classes()
    classes[classes == CANAL] = 0
    x, top = spine.to_px(spine.posterior("L1-L2"))
    _, bottom = spine.to_px(spine.posterior("L4-L5"))
    classes[round(top) : round(bottom), round(x) + 4 : round(x) + 10] = VERTEBRA  # one column joins all
    labels = number_slice(classes, (), planes(spine), spine.pitch, frame)
    centres = spine.centres()
    for upper, lower in (("L1-L2", "L2-L3"), ("L2-L3", "L3-L4"), ("L3-L4", "L4-L5")):
        x, y = np.round(spine.to_px((centres[upper] + centres[lower]) / 2)).astype(int)
        body = labels[y - 8 : y + 8, x - 10 : x + 10]
        assert (body == vertebra_label(lower.split("-")[0])).mean() > 0.98


def test_specks_far_from_the_spine_get_no_number() -> None:
    spine = DrawnSpine()
    classes = spine.classes()
    x, y = np.round(spine.to_px(spine.posterior("L3-L4"))).astype(int)
    far = round(2.6 * spine.pitch / spine.col_mm)
    classes[y - 5 : y + 5, x + far : x + far + 10] = VERTEBRA
    labels = number_slice(classes, (), planes(spine), spine.pitch, SliceFrame.of(spine.spacing))
    assert not labels[y - 5 : y + 5, x + far : x + far + 10].any()


def test_nothing_below_the_lowest_lumbar_disc_is_a_vertebra() -> None:
    spine = DrawnSpine()
    classes = spine.classes()
    x, y = np.round(spine.to_px(spine.centres()["L5-S1"] + spine.normal("L5-S1") * 15)).astype(int)
    classes[y - 5 : y + 5, x - 8 : x + 8] = VERTEBRA
    labels = number_slice(classes, (), planes(spine), spine.pitch, SliceFrame.of(spine.spacing))
    assert not labels[y - 4 : y + 4, x - 7 : x + 7].any()


def test_a_missing_disc_does_not_merge_the_two_vertebrae_beside_it() -> None:
    spine = DrawnSpine()
    known = tuple(plane for plane in planes(spine) if plane.level != "L3-L4")
    labels = number_slice(spine.classes(), (), known, spine.pitch, SliceFrame.of(spine.spacing))
    centres = spine.centres()
    for upper, lower, name in (("L2-L3", "L3-L4", "L3"), ("L3-L4", "L4-L5", "L4")):
        x, y = np.round(spine.to_px((centres[upper] + centres[lower]) / 2)).astype(int)
        assert labels[y, x] == vertebra_label(name)


def test_disc_pixels_keep_their_number_over_vertebra_and_canal() -> None:
    spine = DrawnSpine()
    frame = SliceFrame.of(spine.spacing)
    chain = chain_of(spine.classes(), frame)
    named = tuple(zip(spine.levels, chain.discs, strict=True))
    labels = number_slice(spine.classes(), named, planes(spine), spine.pitch, frame)
    for level in spine.levels:
        expected = number_of_disc_pixels(replace(spine, levels=spine.levels), level)
        assert (labels == disc_label(level)).sum() == pytest.approx(expected, rel=0.03)


def number_of_disc_pixels(spine: DrawnSpine, level: str) -> int:
    return round(spine.disc_length * spine.disc_height / (spine.row_mm * spine.col_mm))


def test_a_transverse_process_takes_the_number_of_what_it_goes_on_from() -> None:
    spine = DrawnSpine()
    frame = SliceFrame.of(spine.spacing)
    first = number_slice(spine.classes(), (), planes(spine), spine.pitch, frame)
    # One slice further out: only the tip of a process, at the height of L3's pedicle, behind the canal's place.
    centre = spine.centres()
    tip = (centre["L2-L3"] + centre["L3-L4"]) / 2 + np.array([0.9 * spine.disc_length, -0.2 * spine.pitch])
    x, y = np.round(spine.to_px(tip)).astype(int)
    classes = np.zeros_like(spine.classes())
    classes[y - 5 : y + 5, x - 5 : x + 5] = VERTEBRA
    beside = first.copy()
    beside[y - 8 : y + 8, x - 8 : x + 8] = vertebra_label("L3")
    alone = number_slice(classes, (), planes(spine), spine.pitch, frame)
    followed = number_slice(classes, (), planes(spine), spine.pitch, frame, beside)
    assert set(np.unique(alone)) == {0, vertebra_label("L2")}  # a spinous process there would be L2's
    assert set(np.unique(followed)) == {0, vertebra_label("L3")}
    far = np.zeros_like(beside)
    assert (number_slice(classes, (), planes(spine), spine.pitch, frame, far) == alone).all()


def test_a_sacrum_is_kept_below_the_lowest_disc_and_nowhere_else() -> None:
    spine = DrawnSpine(room=3.0)
    frame = SliceFrame.of(spine.spacing)
    lowest, axis, normal = spine.centres()["L5-S1"], spine.axis("L5-S1"), spine.normal("L5-S1")
    places = {
        "sacrum": lowest + 20.0 * normal + 5.0 * axis,
        "belly": lowest + 25.0 * normal - 60.0 * axis,
        "thorax": spine.centres()["T12-L1"],
    }
    classes = np.zeros_like(spine.classes())
    found = {}
    for name, place in places.items():
        x, y = np.round(spine.to_px(place)).astype(int)
        classes[y - 6 : y + 6, x - 6 : x + 6] = SACRUM
        found[name] = (y, x)
    labels = number_slice(classes, (), planes(spine), spine.pitch, frame)
    assert {name: int(labels[place]) for name, place in found.items()} == {"sacrum": 50, "belly": 0, "thorax": 0}
