"""Training slices of phantoms: labels, points and the cache."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import ConfigError
from segmentation.training.config import PhantomConfig, load_run_config
from segmentation.training.data import LEVELS
from segmentation.training.loop import train
from segmentation.training.phantoms import KIND, load_phantom_slices, patient_slices, training_labels

CONFIG = PhantomConfig(patients=2, first_seed=100000, slices=3, contrasts=1, scanners=1)
FILE = Path(__file__).parents[2] / "configs" / "segmentation" / "train_phantom.yaml"


def test_labels_are_those_of_the_real_masks() -> None:
    codes = np.array([[0, 1, 5, 24], [50, 100, 101, 201], [51, 53, 207, 202]], dtype=np.uint8)
    assert training_labels(codes).tolist() == [[0, 2, 2, 2], [0, 3, 3, 1], [0, 0, 1, 1]]


def test_a_patient_gives_every_slice_in_every_contrast_on_one_mask() -> None:
    slices = list(patient_slices(100000, CONFIG, 256))
    assert [item.name for item in slices] == [f"phantom/100000/{k}/{draw}" for draw in (0, 1) for k in (0, 1, 2)]
    for one, two in zip(slices[:3], slices[3:], strict=True):
        assert one.image.shape == two.labels.shape == (256, 208)
        assert np.array_equal(one.labels, two.labels)
        assert not np.array_equal(one.image, two.image)
        assert (one.kind, one.patient, one.known) == (KIND, 100000, (True, True, True))
    middle = slices[1].labels
    assert set(np.unique(middle)) == {0, 1, 2, 3}
    assert (middle == 2).sum() > (middle == 1).sum() > 100


def test_points_lie_at_the_back_of_the_discs_of_a_middle_slice() -> None:
    found = 0
    for seed in (100000, 100002, 100003):
        for item in patient_slices(seed, replace(CONFIG, scanners=0), 256):
            if not item.has_points:
                continue
            found += 1
            assert item.points.shape == (len(LEVELS), 2)
            assert np.all(np.diff(item.points[:, 1]) > 5)  # head to foot
            for x, y in item.points:
                near = item.labels[int(y) - 3 : int(y) + 4, int(x) - 4 : int(x) + 5]
                assert 1 in near  # the disc
    assert found >= 2


def test_the_cache_gives_back_what_was_built(tmp_path: Path) -> None:
    built = load_phantom_slices(replace(CONFIG, patients=1), tmp_path, 128)
    again = load_phantom_slices(replace(CONFIG, patients=1), tmp_path, 128)
    assert len(list(tmp_path.glob("phantom_*.npz"))) == 1
    for one, two in zip(built, again, strict=True):
        assert one.name == two.name
        assert np.array_equal(one.image, two.image)
        assert np.array_equal(one.labels, two.labels)
        assert np.array_equal(one.points, two.points, equal_nan=True)


def test_the_training_file_trains_on_phantoms_and_holds_out_no_fold() -> None:
    run = load_run_config(FILE)
    assert run.training.phantoms is not None
    assert run.training.mix == {KIND: 1.0}
    with pytest.raises(ConfigError, match="phantoms have no folds, got 1"):
        train(FILE, fold=1)
