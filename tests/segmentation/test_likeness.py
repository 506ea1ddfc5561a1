"""The learned gate: its arithmetic by hand, its loading, and the shipped weights on pictures that need no data."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image
from safetensors.numpy import save_file

from anatomy import load_protocol
from imaging.phantom import build_phantom, phantom_picture
from imaging.types import Plane, Sequence, Series, SourceKind, Study, Volume
from runtime.errors import ConfigError, NotEligibleError, WeightsError
from runtime.settings import load_settings
from runtime.weights import seal_weights
from segmentation import Segmenter
from segmentation.likeness import (
    WEIGHTS,
    LikenessHead,
    SpineLikeness,
    map_statistics,
    open_likeness,
    token_vector,
)
from segmentation.training.likeness_config import load_likeness_config
from segmentation.training.likeness_images import TEXTURES, changed_view
from segmentation.types import SliceMaps
from tests.segmentation.drawn_spine import DrawnNetwork, DrawnSpine, picture_of


def maps_of(image: np.ndarray, spine: DrawnSpine) -> SliceMaps:
    return DrawnNetwork(spine.level_maps()).segment_slices(image[None], spine.spacing)


def head_of(tokens: int, statistics: int, **changes: object) -> LikenessHead:
    """One component that reads the first token value; weight 1 on it, none elsewhere."""
    width = 1 + statistics + 1
    component = np.zeros((1, tokens))
    component[0, 0] = 1.0
    plain = LikenessHead(
        token_mean=np.zeros(tokens),
        components=component,
        centre=np.zeros(width - 1),
        spread=np.ones(width - 1),
        scale=np.ones(width),
        weights=np.eye(width)[0],
        bias=0.0,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def write_head(folder: Path, head: LikenessHead, segmentation_checksum: str) -> None:
    folder.mkdir(parents=True)
    names = ("token_mean", "components", "centre", "spread", "scale", "weights", "bias")
    save_file(
        {name: np.atleast_1d(np.asarray(getattr(head, name), dtype=np.float32)) for name in names},
        folder / "model.safetensors",
    )
    (folder / "config.json").write_text(json.dumps({"segmentation_checksum": segmentation_checksum}))
    seal_weights(folder)


def test_the_score_is_the_logistic_of_the_weighted_inputs() -> None:
    head = head_of(3, 2, bias=0.5)
    score = head.score(np.array([[2.0, 9.0, 9.0]]), np.zeros((1, 2)))
    assert score[0] == pytest.approx(1 / (1 + np.exp(-2.5)))


def test_the_last_input_is_the_distance_from_the_spines() -> None:
    head = head_of(1, 1)
    inputs = head.inputs(np.array([[3.0], [0.0]]), np.array([[4.0], [0.0]]))
    assert inputs[0].tolist() == pytest.approx([3.0, 4.0, np.log(np.sqrt(12.5) + 0.1)])
    assert inputs[1, -1] == pytest.approx(np.log(0.1))


def test_an_input_far_from_everything_is_bounded() -> None:
    inputs = head_of(1, 1).inputs(np.array([[1e6]]), np.array([[-1e6]]))
    assert inputs[0, :2].tolist() == [8.0, -8.0]


def test_statistics_see_an_upright_canal_behind_the_discs_and_levels_in_order() -> None:
    spine = DrawnSpine(map_peak=0.9)
    seen = map_statistics(maps_of(picture_of(spine.classes()), spine))
    vertebra_offset, canal_offset = seen[9:11], seen[11:13]
    assert canal_offset[0] > 0.02, "columns run from front to back"
    assert abs(vertebra_offset[0]) < canal_offset[0] + 0.05
    along, across, cosine, _ = seen[21:25]
    assert along > 4 * across
    assert cosine < -0.7, "the canal stands upright"
    assert (seen[-4:] > 0).all(), "L1-L2 to L5-S1 run downwards"


def test_statistics_turn_with_the_picture() -> None:
    spine = DrawnSpine()
    image = picture_of(spine.classes())
    upright, mirrored = map_statistics(maps_of(image, spine)), map_statistics(maps_of(image[:, ::-1], spine))
    assert mirrored[11] == pytest.approx(-upright[11], abs=0.01)
    assert map_statistics(maps_of(np.rot90(image), spine))[23] == pytest.approx(-upright[23], abs=0.05)


def test_empty_maps_have_statistics_too() -> None:
    spine = DrawnSpine()
    seen = map_statistics(maps_of(np.zeros(spine.shape, dtype=np.float32), spine))
    assert np.isfinite(seen).all()


def test_what_is_unlike_a_spine_is_refused_with_one_sentence() -> None:
    spine = DrawnSpine()
    maps = maps_of(picture_of(spine.classes()), spine)
    size = len(token_vector(maps)), len(map_statistics(maps))
    SpineLikeness(head_of(*size, bias=9.0)).refuse_unlike(maps)
    with pytest.raises(NotEligibleError, match=r"no spine was found: .*likeness 0\.00, at least 0\.50") as caught:
        SpineLikeness(head_of(*size, bias=-9.0)).refuse_unlike(maps)
    assert caught.value.code == "no_spine_found"
    assert "\n" not in str(caught.value)


def test_the_segmenter_asks_the_gate_first() -> None:
    spine = DrawnSpine(map_peak=0.9)
    image = picture_of(spine.classes())
    maps = maps_of(image, spine)
    head = head_of(len(token_vector(maps)), len(map_statistics(maps)))
    network = DrawnNetwork(spine.level_maps())
    agrees = SpineLikeness(replace(head, bias=9.0), checksum="gate")
    done = Segmenter(network, likeness=agrees).segment_study(study_of(image), load_protocol("lumbar"))
    assert [level.name for level in done.levels] == list(load_protocol("lumbar").levels)
    with pytest.raises(NotEligibleError, match="no sagittal spine was recognised"):
        Segmenter(network, likeness=SpineLikeness(replace(head, bias=-9.0))).segment_study(
            study_of(image), load_protocol("lumbar")
        )
    assert Segmenter(network, likeness=agrees).gate_checksum == "gate"
    assert Segmenter(network).gate_checksum is None


def test_weights_come_back_from_disk(tmp_path: Path) -> None:
    head = head_of(3, 2, bias=-1.5)
    write_head(tmp_path / WEIGHTS, head, "net")
    gate = SpineLikeness.load(weights_root=tmp_path)
    tokens, statistics = np.array([[0.3, 1.0, 2.0]]), np.array([[0.1, 0.2]])
    assert gate.head.score(tokens, statistics) == pytest.approx(head.score(tokens, statistics), abs=1e-6)
    assert gate.segmentation_checksum == "net"
    assert len(gate.checksum) == 64


def test_a_gate_of_another_network_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert open_likeness("net", weights_root=tmp_path) is None
    assert "not installed" in caplog.text
    write_head(tmp_path / WEIGHTS, head_of(3, 2), "net")
    assert open_likeness("net", weights_root=tmp_path) is not None
    assert open_likeness("other", weights_root=tmp_path) is None
    assert "train them again" in caplog.text


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    write_head(tmp_path / WEIGHTS, head_of(3, 2), "net")
    save_file({"bias": np.zeros(1, dtype=np.float32)}, tmp_path / WEIGHTS / "model.safetensors")
    with pytest.raises(WeightsError, match="SHA-256"):
        SpineLikeness.load(weights_root=tmp_path)
    seal_weights(tmp_path / WEIGHTS)
    with pytest.raises(WeightsError, match="not a likeness head"):
        SpineLikeness.load(weights_root=tmp_path)


def test_the_training_file_is_checked(tmp_path: Path) -> None:
    assert load_likeness_config(Path("configs/segmentation/likeness.yaml")).held_out_fold == 0
    with pytest.raises(ConfigError, match="found nothing"):
        load_likeness_config(tmp_path / "none.yaml")
    (tmp_path / "few.yaml").write_text("seed: 0\n")
    with pytest.raises(ConfigError, match="expected the keys"):
        load_likeness_config(tmp_path / "few.yaml")


def test_changed_views_keep_size_and_repeat_with_the_seed() -> None:
    image = np.random.default_rng(0).random((60, 40)).astype(np.float32)
    first, second = (changed_view(image, np.random.default_rng(3)) for _ in range(2))
    assert first.shape == image.shape
    assert (first == second).all()
    assert not np.allclose(first, image)


def study_of(image: np.ndarray) -> Study:
    array = np.ascontiguousarray(image.astype(np.float32).T[:, :, None])
    volume = Volume(array, None, None, array.shape)
    return Study("key", SourceKind.PICTURE, "lumbar", (Series("S1", None, Plane.SAGITTAL, Sequence.T2, volume),))


@cache
def shipped() -> Segmenter:
    return Segmenter.load(device="cpu")


@cache
def phantom_image(role: str) -> np.ndarray:
    return phantom_picture(build_phantom("lumbar", seed=31), role=role)


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
@pytest.mark.parametrize("name", ["rings", "blurred_noise", "stripes", "writing"])
def test_drawings_are_refused(name: str) -> None:
    with pytest.raises(NotEligibleError) as caught:
        shipped().segment_study(study_of(texture(name)), load_protocol("lumbar"))
    assert caught.value.code == "no_spine_found"


@pytest.mark.weights
@pytest.mark.parametrize("turns", [1, 3])
def test_a_spine_on_its_side_is_refused(turns: int) -> None:
    with pytest.raises(NotEligibleError) as caught:
        shipped().segment_study(study_of(np.rot90(phantom_image("sagittal_t2"), turns)), load_protocol("lumbar"))
    assert caught.value.code == "no_spine_found"
