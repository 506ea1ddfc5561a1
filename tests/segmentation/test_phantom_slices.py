"""Training slices of phantoms: labels, what is known, points, neighbours and the cache."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imaging.phantom.setup import load_setup, setup_names
from imaging.phantom.tissues import Palette, Tissue
from runtime.errors import ConfigError
from segmentation.training.config import KINDS, PhantomConfig, load_run_config
from segmentation.training.data import CLASSES, LEVELS, UNKNOWN, TrainingSlice, no_points, write_cache
from segmentation.training.loop import train
from segmentation.training.phantom_kinds import paint_run, phantom_kind
from segmentation.training.phantoms import (
    cache_file,
    class_labels,
    class_number,
    known_classes,
    load_phantom_slices,
    patient_slices,
    training_labels,
)

CONFIG = PhantomConfig(patients=2, first_seed=100000, slices=3, contrasts=1, scanners=1)
FILE = Path(__file__).parents[2] / "configs" / "segmentation" / "pretrain.yaml"
PHANTOM_KINDS = [kind for kind in KINDS if kind.startswith("phantom")]
SIDE = 256


def slices_of(kind: str, seed: int = 100000, *, slices: int = 3) -> list[TrainingSlice]:
    return list(patient_slices(seed, replace(CONFIG, kind=kind, slices=slices, scanners=0), SIDE))


def test_label_numbers_become_classes() -> None:
    codes = np.array([[0, 1, 5, 24], [50, 100, 101, 201], [51, 52, 53, 54], [207, 223, 0, 0]], dtype=np.uint8)
    found = training_labels(codes, np.zeros_like(codes), Palette())
    assert np.array_equal(found, class_labels(codes))
    assert found.tolist() == [[0, 2, 2, 2], [4, 3, 5, 1], [6, 6, 7, 7], [1, 1, 0, 0]]


def test_the_tissue_tells_the_cord_of_the_lumbar_canal_and_the_disc_under_a_lumbarised_s1() -> None:
    palette = Palette()
    disc = palette.add("disc_S1-S2", Tissue(t1=700, t2=60, pd=0.7))
    cord, csf = palette.number("cord"), palette.number("csf")
    codes = np.array([[100, 100, 50, 50, 0]], dtype=np.uint8)
    tissue = np.array([[cord, csf, disc, csf, cord]], dtype=np.uint8)
    assert training_labels(codes, tissue, palette).tolist() == [[5, 3, UNKNOWN, 4, 0]]


def test_a_patient_gives_every_slice_in_every_contrast_on_one_mask() -> None:
    slices = list(patient_slices(100000, CONFIG, SIDE))
    assert [item.name for item in slices] == [f"phantom/100000/{k}/{draw}" for draw in (0, 1) for k in (0, 1, 2)]
    assert [(item.group, item.position) for item in slices[3:]] == [("phantom/100000/1", k) for k in range(3)]
    for one, two in zip(slices[:3], slices[3:], strict=True):
        assert one.image.shape == two.labels.shape == (256, 208)
        assert np.array_equal(one.labels, two.labels)
        assert not np.array_equal(one.image, two.image)
        assert (one.kind, one.patient, one.known) == ("phantom", 100000, (True,) * len(CLASSES))


@pytest.mark.parametrize(
    ("kind", "drawn"),
    [
        ("phantom", {"disc", "vertebra", "spinal_canal", "sacrum", "spinal_cord"}),
        ("phantom_axial", {"vertebra", "spinal_canal"}),
        ("phantom_cervical", {"disc", "vertebra", "spinal_canal", "spinal_cord"}),
        ("phantom_cervical_axial", {"vertebra", "spinal_canal", "spinal_cord"}),
        ("phantom_sacroiliac", {"disc", "vertebra", "sacrum", "ilium", "joint_space"}),
    ],
)
def test_each_kind_shows_its_structures_and_its_own_levels(kind: str, drawn: set[str]) -> None:
    items = slices_of(kind, 100001, slices=5)
    labels = np.concatenate([item.labels.ravel() for item in items])
    shares = {name: float((labels == class_number(name)).mean()) for name in CLASSES}
    assert {name for name in drawn if shares[name] > 0.0005} == drawn
    for item in items:
        named = {LEVELS[index] for index in np.nonzero(np.isfinite(item.points).all(1))[0]}
        assert named <= set(phantom_kind(kind).points)
    longest = max(items[0].image.shape)
    assert longest == (SIDE if kind == "phantom" else 192)


def test_neighbours_lie_one_spacing_apart_within_the_usual_stack() -> None:
    kind = phantom_kind("phantom_axial")
    run = paint_run(kind, 100001, 4, SIDE)
    assert run.labels().shape[2] == 4
    step = run.affine[:3, 2]
    assert np.linalg.norm(step) == pytest.approx(run.row.spacing)
    stack, shape = run.scene.scene.grid(run.row)  # type: ignore[attr-defined]
    first = np.linalg.inv(stack) @ run.affine[:, 3]
    assert first[:2] == pytest.approx([0.0, 0.0], abs=1e-6)
    assert 0 <= round(first[2]) <= shape[2] - 4
    assert first[2] == pytest.approx(round(first[2]), abs=1e-6)


def test_the_joint_is_unknown_only_where_the_lumbar_phantom_shows_both_its_bones() -> None:
    joint = CLASSES.index("joint_space")
    lumbar, pelvis = "lumbar", "sacroiliac"
    both = np.array([[class_number("sacrum"), class_number("ilium")]], dtype=np.uint8)
    assert not known_classes(lumbar, both)[joint]
    assert sum(known_classes(lumbar, both)) == len(CLASSES) - 1
    assert all(known_classes(lumbar, both[:, :1]))
    assert all(known_classes(pelvis, both))


@pytest.mark.parametrize("seeds", [(100000, 100002), pytest.param((100003, 100004), marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["phantom", "phantom_cervical"])
def test_points_lie_at_the_back_of_the_discs_of_a_middle_slice(kind: str, seeds: tuple[int, int]) -> None:
    found = 0
    for seed in seeds:
        for item in slices_of(kind, seed, slices=5):
            if not item.has_points:
                continue
            found += 1
            points = item.points[[LEVELS.index(name) for name in phantom_kind(kind).points]]
            seen = points[np.isfinite(points).all(1)]
            assert np.all(np.diff(seen[:, 1]) > 3)  # head to foot
            for x, y in seen:
                near = item.labels[max(0, int(y) - 3) : int(y) + 4, max(0, int(x) - 4) : int(x) + 5]
                assert class_number("disc") in near
    assert found >= 2


def test_the_cache_gives_back_what_was_built_and_a_broken_run_goes_on(tmp_path: Path) -> None:
    config = replace(CONFIG, patients=11, slices=1, scanners=0)
    file = cache_file(config, tmp_path, 64)
    odd = replace(slices_of("phantom", slices=1)[0], name="stored before")
    write_cache(file.with_name(f"{file.stem}.from0.npz"), [odd])  # the first ten patients of a run broken off
    built = load_phantom_slices(config, tmp_path, 64)
    assert [item.name for item in built] == ["stored before", "phantom/100010/0/0"]
    assert list(tmp_path.iterdir()) == [file]
    again = load_phantom_slices(config, tmp_path, 64)
    for one, two in zip(built, again, strict=True):
        assert (one.name, one.known, one.group, one.position) == (two.name, two.known, two.group, two.position)
        assert np.array_equal(one.image, two.image)
        assert np.array_equal(one.labels, two.labels)
        assert np.array_equal(one.points, two.points, equal_nan=True)


def test_every_kind_of_the_training_file_has_a_grid_and_others_are_refused() -> None:
    assert len(PHANTOM_KINDS) == 5
    for name in PHANTOM_KINDS:
        kind = phantom_kind(name)
        assert kind.name == name
        assert set(kind.points) <= set(LEVELS)
    with pytest.raises(ConfigError, match=r"expected one of phantom, phantom_axial.*got 'phantom_hip'"):
        phantom_kind("phantom_hip")


def test_no_training_seed_is_one_of_a_frozen_test_set() -> None:
    frozen = [load_setup(name).seeds for name in setup_names() if name.startswith("test_")]
    assert len(frozen) == 6
    for file in sorted(FILE.parent.glob("*train*.yaml")):  # pretrain.yaml too
        for config in load_run_config(file).training.phantoms:
            last = config.first_seed + config.patients - 1
            assert all(
                last < seeds["first"] or config.first_seed >= seeds["first"] + seeds["count"] for seeds in frozen
            )


def test_the_training_file_trains_on_phantoms_and_holds_out_no_fold() -> None:
    run = load_run_config(FILE)
    assert {config.kind for config in run.training.phantoms} == set(run.training.mix) == {"phantom"}
    with pytest.raises(ConfigError, match="fold"):
        train(FILE, fold=9)


@pytest.mark.parametrize(
    ("kind", "taught"),
    [
        ("phantom", {"disc", "vertebra", "spinal_canal", "sacrum"}),
        ("phantom_cervical_axial", {"disc", "vertebra", "spinal_canal", "spinal_cord"}),
        ("phantom_sacroiliac", {"sacrum", "ilium", "joint_space"}),
    ],
)
def test_a_region_teaches_what_its_protocol_outlines(kind: str, taught: set[str], tmp_path: Path) -> None:
    config = replace(CONFIG, kind=kind, patients=1)
    blank = np.zeros((32, 32), np.uint8)
    stored = TrainingSlice("a", 1, kind, blank, blank, (True,) * len(CLASSES), no_points())
    write_cache(cache_file(config, tmp_path, 32), [stored])
    (found,) = load_phantom_slices(config, tmp_path, 32)
    assert {name for name, is_known in zip(CLASSES, found.known, strict=True) if is_known} == taught
