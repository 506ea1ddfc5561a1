"""The shipped gate on phantoms, drawings, photographs, turned spines and held-out real slices."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from anatomy import load_protocol
from imaging.phantom import phantom_picture
from runtime.errors import NotEligibleError
from runtime.folds import spider_folds
from runtime.settings import load_settings
from segmentation import Segmenter
from segmentation.likeness import (
    WEIGHTS,
    SpineLikeness,
)
from segmentation.training.likeness_drawings import TEXTURES
from tests.built_phantoms import built_phantom
from tests.segmentation.drawn_spine import study_of


@cache
def shipped() -> Segmenter:
    return Segmenter.load(device="cpu")


@cache
def phantom_image(role: str) -> np.ndarray:
    return phantom_picture(built_phantom("lumbar"), role=role)


def texture(name: str) -> np.ndarray:
    y, x = np.mgrid[:400, :360].astype(np.float32)
    return TEXTURES[name](y, x, np.random.default_rng(77))


@pytest.mark.weights
def test_the_shipped_gate_belongs_to_the_shipped_network() -> None:
    assert SpineLikeness.load().segmentation_checksum == shipped().checksum
    assert shipped().gate_checksum is not None
    assert (load_settings().weights_dir / WEIGHTS / "README.md").is_file()


@pytest.mark.weights
@pytest.mark.parametrize("role", ["sagittal_t1", "sagittal_t2"])
def test_phantom_pictures_are_read(role: str) -> None:
    done = shipped().segment_study(study_of(phantom_image(role)), load_protocol("lumbar"))
    assert {"L3-L4", "L4-L5"} <= {level.name for level in done.levels}


@pytest.mark.weights
@pytest.mark.parametrize(
    "name", ["cell.png", "coins.png", "page.png", "camera.png", "brick.png", "clock_motion.png", "text.png"]
)
def test_photographs_are_refused(name: str) -> None:
    photo = np.asarray(Image.open(Path(skimage.__file__).parent / "data" / name).convert("L"))
    with pytest.raises(NotEligibleError) as caught:
        shipped().segment_study(study_of(photo), load_protocol("lumbar"))
    assert caught.value.code == "no_spine_found"


@pytest.mark.weights
@pytest.mark.parametrize("name", [name for name in TEXTURES if name != "ladder"])
def test_drawings_are_refused(name: str) -> None:
    with pytest.raises(NotEligibleError) as caught:
        shipped().segment_study(study_of(texture(name)), load_protocol("lumbar"))
    assert caught.value.code == "no_spine_found"


TURNS = {
    "on its left": lambda image: np.rot90(image, 1),
    "on its right": lambda image: np.rot90(image, 3),
    "upside down": lambda image: image[::-1, ::-1],
    "mirrored": lambda image: image[:, ::-1],
    "head below": lambda image: image[::-1],
}


@pytest.mark.weights
@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("role", ["sagittal_t1", "sagittal_t2"])
def test_a_turned_or_mirrored_spine_is_refused(turn: str, role: str) -> None:
    with pytest.raises(NotEligibleError) as caught:
        shipped().segment_study(study_of(TURNS[turn](phantom_image(role))), load_protocol("lumbar"))
    assert caught.value.code == "no_spine_found"


@pytest.mark.weights
@pytest.mark.parametrize(("protocol", "role"), [("cervical", "sagittal_t2"), ("sacroiliac", "coronal_stir")])
def test_another_region_of_the_body_is_refused(protocol: str, role: str) -> None:
    image = phantom_picture(built_phantom(protocol), role=role)
    with pytest.raises(NotEligibleError) as caught:
        shipped().segment_study(study_of(image), load_protocol("lumbar"))
    assert caught.value.code == "no_spine_found"


@pytest.mark.weights
def test_real_slices_of_held_out_patients_pass_and_turned_ones_do_not(data_dir: Path) -> None:
    """One slice each of six patients of fold 0, which neither network nor gate was trained on."""
    gate, folds = shipped().likeness, spider_folds()
    assert gate is not None
    held_out = sorted(patient for patient, fold in folds.items() if fold == 0)[:6]
    refused = {"plain": 0, "mirrored": 0, "head below": 0}
    for patient in held_out:
        file = data_dir / "spider" / "midsagittal" / f"{patient}_t2.png"
        image = np.asarray(Image.open(file).convert("L"), dtype=np.float32)
        for name, view in (("plain", image), ("mirrored", image[:, ::-1]), ("head below", image[::-1])):
            maps = shipped().network.segment_slices(np.ascontiguousarray(view)[None], None)
            refused[name] += gate.judge(maps).is_refused
    assert refused == {"plain": 0, "mirrored": 6, "head below": 6}
