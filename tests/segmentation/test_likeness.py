"""The learned gate: its arithmetic by hand, its loading, its fit and calibration on made-up pictures."""

import json
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from anatomy import load_protocol
from runtime.errors import ConfigError, NotEligibleError, WeightsError
from runtime.weights import seal_weights
from segmentation import Segmenter
from segmentation.likeness import (
    WEIGHTS,
    LikenessHead,
    SpineLikeness,
    mean_logits,
    open_likeness,
    p_values,
    refuse_unlike,
)
from segmentation.likeness_features import map_statistics, token_vector
from segmentation.training.likeness import SeenPictures, fit_heads, least_by_patient, write_weights
from segmentation.training.likeness_config import LikenessConfig, load_likeness_config
from segmentation.training.likeness_images import changed_view
from segmentation.types import SliceMaps
from tests.segmentation.drawn_spine import DrawnNetwork, DrawnSpine, picture_of, study_of


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
        calibration=np.arange(99.0),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def gate_of(head: LikenessHead, *, threshold: float = 0.02, checksum: str = "") -> SpineLikeness:
    return SpineLikeness([head], threshold=threshold, checksum=checksum)


def write_head(folder: Path, head: LikenessHead, segmentation_checksum: str) -> None:
    folder.mkdir(parents=True)
    save_file(
        {
            f"0.{item.name}": np.ascontiguousarray(np.atleast_1d(getattr(head, item.name)), dtype=np.float32)
            for item in fields(head)
        },
        folder / "model.safetensors",
    )
    facts = {"segmentation_checksum": segmentation_checksum, "heads": 1, "threshold": 0.05}
    (folder / "config.json").write_text(json.dumps(facts))
    seal_weights(folder)


def test_the_logit_is_the_sum_of_the_weighted_inputs() -> None:
    head = head_of(3, 2, bias=0.5)
    tokens, statistics = np.array([[2.0, 9.0, 9.0]]), np.zeros((1, 2))
    assert head.logits(tokens, statistics)[0] == pytest.approx(2.5)
    assert mean_logits([head, replace(head, bias=1.5)], tokens, statistics)[0] == pytest.approx(3.0)


def test_the_p_value_is_the_rank_among_the_patients_of_all_heads() -> None:
    first = head_of(1, 1, calibration=np.array([0.0, 1.0, 2.0]))
    second = head_of(1, 1, bias=1.0, calibration=np.array([0.0, 5.0]))
    tokens = np.array([[-9.0], [-0.5], [1.0], [8.0]])
    values = p_values([first, second], tokens, np.zeros((4, 1)))
    # of 5 patients, this one counted as the sixth; the second head sees every logit one higher, 8 at most
    assert values.tolist() == pytest.approx([1 / 6, 2 / 6, 4 / 6, 6 / 6])


def test_the_p_value_grows_with_the_score() -> None:
    head = head_of(1, 1, calibration=np.sort(np.random.default_rng(0).normal(size=143)))
    tokens = np.linspace(-4, 4, 60)[:, None]
    values = p_values([head], tokens, np.zeros((60, 1)))
    assert (np.diff(values) >= 0).all()
    assert values[0] == 1 / 144
    assert values[-1] == 1


def test_a_patient_counts_by_the_series_least_like_a_spine() -> None:
    groups = np.array(["b", "a", "b", "a", "c"])
    assert least_by_patient(groups, np.array([3.0, 1.0, 2.0, 5.0, 4.0])).tolist() == [1.0, 2.0, 4.0]


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


def test_statistics_see_a_sacrum_below_the_discs_and_miss_one_that_is_not_found() -> None:
    spine = DrawnSpine()
    maps = maps_of(picture_of(spine.classes()), spine)
    plane = np.zeros_like(maps.probabilities[:, :1])
    plane[:, :, -40:, 100:140] = 0.9
    both = [
        map_statistics(
            replace(maps, structures=(*maps.structures, "sacrum"), probabilities=np.concatenate(pair, 1))
        )
        for pair in ((maps.probabilities, plane), (maps.probabilities, plane * 0))
    ]
    assert len(both[0]) == len(map_statistics(maps)) + 9
    mean, highest = both[0][9:11]
    assert mean > 0
    assert highest == pytest.approx(0.9)
    assert both[0][17] > 0.1, "the last of three offsets in y: below the discs"
    assert both[1][9:11].tolist() == [0, 0]


def test_empty_maps_have_statistics_too() -> None:
    spine = DrawnSpine()
    seen = map_statistics(maps_of(np.zeros(spine.shape, dtype=np.float32), spine))
    assert np.isfinite(seen).all()


def test_what_is_unlike_a_spine_is_refused_with_one_sentence() -> None:
    spine = DrawnSpine()
    maps = maps_of(picture_of(spine.classes()), spine)
    size = len(token_vector(maps)), len(map_statistics(maps))
    like = gate_of(head_of(*size, bias=1e3)).judge(maps)
    assert like.p_value == 1
    assert not like.is_refused
    refuse_unlike(like)
    unlike = gate_of(head_of(*size, bias=-1e3)).judge(maps)
    assert unlike.p_value == 0.01
    assert unlike.score < -900
    words = r"no spine was found: .*likeness to real spines p = 0\.010, at least 0\.02 is needed"
    with pytest.raises(NotEligibleError, match=words) as caught:
        refuse_unlike(unlike)
    assert caught.value.code == "no_spine_found"
    assert "\n" not in str(caught.value)


def test_the_segmenter_asks_the_gate_first() -> None:
    spine = DrawnSpine(map_peak=0.9)
    image = picture_of(spine.classes())
    maps = maps_of(image, spine)
    head = head_of(len(token_vector(maps)), len(map_statistics(maps)))
    network = DrawnNetwork(spine.level_maps())
    agrees = gate_of(replace(head, bias=1e3), checksum="gate")
    done = Segmenter(network, likeness=agrees).segment_study(study_of(image), load_protocol("lumbar"))
    assert [level.name for level in done.levels] == list(load_protocol("lumbar").levels)
    assert done.ood is not None
    assert done.ood.p_value == 1
    assert done.refusals == ()
    disagrees = gate_of(replace(head, bias=-1e3))
    with pytest.raises(NotEligibleError, match="no sagittal spine was recognised"):
        Segmenter(network, likeness=disagrees).segment_study(study_of(image), load_protocol("lumbar"))
    assert Segmenter(network, likeness=agrees).gate_checksum == "gate"
    assert Segmenter(network).gate_checksum is None


def test_an_override_reads_what_the_gate_refuses_and_keeps_what_it_said() -> None:
    spine = DrawnSpine(map_peak=0.9)
    image = picture_of(spine.classes())
    maps = maps_of(image, spine)
    head = head_of(len(token_vector(maps)), len(map_statistics(maps)), bias=-1e3)
    segmenter = Segmenter(DrawnNetwork(spine.level_maps()), likeness=gate_of(head))
    done = segmenter.segment_study(study_of(image), load_protocol("lumbar"), is_forced=True)
    assert [level.name for level in done.levels] == list(load_protocol("lumbar").levels)
    assert done.ood is not None
    assert done.ood.is_refused
    assert [(item.code, item.series_id) for item in done.refusals] == [("no_spine_found", "S1")]
    assert done.refusals[0].text.startswith("no spine was found: no sagittal spine was recognised")
    empty = np.zeros_like(image)
    with pytest.raises(NotEligibleError, match="no spine was found"):
        segmenter.segment_study(study_of(empty), load_protocol("lumbar"), is_forced=True)


def test_weights_come_back_from_disk(tmp_path: Path) -> None:
    head = head_of(3, 2, bias=-1.5)
    write_head(tmp_path / WEIGHTS, head, "net")
    gate = SpineLikeness.load(weights_root=tmp_path)
    tokens, statistics = np.array([[0.3, 1.0, 2.0]]), np.array([[0.1, 0.2]])
    assert gate.heads[0].logits(tokens, statistics) == pytest.approx(head.logits(tokens, statistics), abs=1e-6)
    assert gate.segmentation_checksum == "net"
    assert gate.threshold == 0.05
    assert len(gate.checksum) == 64


def test_a_gate_of_another_network_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert open_likeness("segmentation", "net", weights_root=tmp_path) is None
    assert "not installed" in caplog.text
    write_head(tmp_path / WEIGHTS, head_of(3, 2), "net")
    assert open_likeness("segmentation", "net", weights_root=tmp_path) is not None
    assert open_likeness("segmentation-regions", "net", weights_root=tmp_path) is None  # not its network, no word
    assert open_likeness("segmentation", "other", weights_root=tmp_path) is None
    assert "train them again" in caplog.text


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    write_head(tmp_path / WEIGHTS, head_of(3, 2), "net")
    save_file({"bias": np.zeros(1, dtype=np.float32)}, tmp_path / WEIGHTS / "model.safetensors")
    with pytest.raises(WeightsError, match="SHA-256"):
        SpineLikeness.load(weights_root=tmp_path)
    seal_weights(tmp_path / WEIGHTS)
    with pytest.raises(WeightsError, match="not a likeness gate"):
        SpineLikeness.load(weights_root=tmp_path)


def made_up_pictures(seed: int, *, patients: int = 60) -> SeenPictures:
    """Two slices of each made-up patient, and as many others, apart in the first tokens."""
    rng = np.random.default_rng(seed)
    is_spine = np.repeat([True, False], 2 * patients)
    tokens = rng.normal(size=(4 * patients, 12))
    patient = np.tile(np.repeat(np.arange(patients), 2), 2)
    tokens += rng.normal(size=(patients, 12))[patient] * 0.5
    tokens[:, 0] += np.where(is_spine, 3.0, 0.0)
    prefix = np.where(is_spine, "spider", "photo")
    return SeenPictures(
        tokens=tokens,
        statistics=rng.normal(size=(4 * patients, 3)),
        kind=np.where(is_spine, np.tile(["t1", "t2"], 2 * patients), "photo"),
        group=np.char.add(prefix, patient.astype(str)),
        fold=patient % 4 + 1,
        is_spine=is_spine,
        is_plain=np.full(4 * patients, True),
        rules_refuse=np.full(4 * patients, False),
    )


def fit_config(**changes: object) -> LikenessConfig:
    config = load_likeness_config(Path("configs/segmentation/likeness.yaml"))
    return replace(config, token_components=6, **changes)  # type: ignore[arg-type]


def test_p_values_of_new_patients_are_calibrated() -> None:
    """Over made-up patients like those of the calibration, a share a has a p-value of a or less, not more."""
    below = []
    for seed in range(8):
        heads = fit_heads(made_up_pictures(seed), fit_config())
        assert sum(len(head.calibration) for head in heads) == 60
        new = made_up_pictures(seed + 100)
        values = p_values(heads, new.tokens[new.is_spine], new.statistics[new.is_spine])
        least = np.minimum(values[0::2], values[1::2])
        below.append([(least <= level).mean() for level in (0.05, 0.1, 0.2, 0.5)])
    # 480 patients: 2.5 standard errors of a share, and those of eight calibrations of 60
    assert np.mean(below, axis=0) == pytest.approx([0.05, 0.1, 0.2, 0.5], abs=0.05)


def test_the_calibration_never_sees_the_fold_it_was_fitted_on() -> None:
    pictures = made_up_pictures(1)
    heads = fit_heads(pictures, fit_config())
    without = replace(pictures, tokens=np.where((pictures.fold == 1)[:, None], 99.0, pictures.tokens))
    again = fit_heads(without, fit_config())
    assert heads[0].weights == pytest.approx(again[0].weights), "the first head was fitted without fold 1"
    assert heads[1].weights != pytest.approx(again[1].weights)


def test_written_heads_are_the_fitted_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = made_up_pictures(2)
    heads = fit_heads(pictures, fit_config())
    flipped = tuple(replace(head, components=np.asfortranarray(head.components)) for head in heads)
    monkeypatch.setattr("segmentation.training.likeness.open_weights", lambda *_: SimpleNamespace(checksum="net"))
    write_weights(flipped, fit_config(), pictures, tmp_path / WEIGHTS)
    gate = SpineLikeness.load(weights_root=tmp_path)
    assert len(gate.heads) == 4
    for stored, head in zip(gate.heads, heads, strict=True):
        expected = head.logits(pictures.tokens, pictures.statistics)
        assert stored.logits(pictures.tokens, pictures.statistics) == pytest.approx(expected, abs=1e-4)
    facts = json.loads((tmp_path / WEIGHTS / "config.json").read_text())
    assert facts["calibration_patients"] == list(range(60))


def test_the_training_file_is_checked(tmp_path: Path) -> None:
    assert load_likeness_config(Path("configs/segmentation/likeness.yaml")).held_out_fold == 0
    seen, fitted = fit_config(textures_per_kind=3), fit_config(false_refusals=0.5, inverse_penalty=9.0)
    assert seen.pictures_key != fit_config().pictures_key == fitted.pictures_key
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
