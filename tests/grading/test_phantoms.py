"""Phantoms as training cases: drawn once, labels of what they teach, windows that training moves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grading.config import GraderConfig, NetworkConfig
from grading.heads import label_columns
from grading.training.batches import augmented_case, plain_batch
from grading.training.cases import Case, from_bytes, to_bytes
from grading.training.config import PhantomConfig, TrainingConfig
from grading.training.cutting import PLACEMENT
from grading.training.phantoms import draw_case, phantom_cases, varied_setup
from imaging.phantom import Phantom
from imaging.phantom.build import phantom_of
from imaging.phantom.setup import load_setup
from runtime.errors import ConfigError

VIEWS = ("foramen_t1", "foramen_t2", "recess_t2")
CONFIG = GraderConfig(network=NetworkConfig(views=VIEWS))
USUAL = PhantomConfig(patients=1, first_seed=299_990, varied_share=0.0)


def drawn(phantoms: PhantomConfig) -> Case:
    found = draw_case(299_990, CONFIG, phantoms)
    assert found is not None
    return found


@pytest.fixture(scope="module", autouse=True)
def _scanned_once() -> Iterator[None]:
    """Keep the one patient that is drawn here twice, each time with other labels."""
    kept: list[Phantom] = []

    def scan_once(*given: Any, **named: Any) -> Phantom:
        kept[:] = kept or [phantom_of(*given, **named)]
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grading.training.phantoms.phantom_of", scan_once)
        yield


@pytest.fixture(scope="module")
def case() -> Case:
    return drawn(USUAL)


def test_a_case_has_slices_windows_and_the_labels_that_no_real_grading_tells(case: Case) -> None:
    assert {item.sequence for item in case.slices} == {"t1", "t2"}
    assert all(windows.present[4:].all() for windows in case.windows.values())
    columns = label_columns(CONFIG.heads)
    assert (case.labels[:, columns["disc_degeneration"]] == -1).all()
    assert (case.labels[2:, columns["neural_foraminal_narrowing"]] >= 0).all()
    taught = drawn(replace(USUAL, teaches="all"))
    assert (taught.labels[:, columns["disc_degeneration"]] >= 0).all()


def test_plain_windows_are_the_inner_part_and_jitter_moves_them(case: Case) -> None:
    plain = plain_batch([case], CONFIG)
    stored = case.windows["recess_t2"]
    row = (stored.images.shape[3] - 64) // 2
    inner = from_bytes(stored.images[5, 0, 1:4, row : row + 64, row : row + 64])
    np.testing.assert_array_equal(plain.windows[2][0, 5, 0], inner)
    training = TrainingConfig(t1_dropout=0.0, t2_dropout=0.0, source_dropout=0.0)
    moved = augmented_case(case, CONFIG, training, np.random.default_rng(0))
    assert moved.windows_present.sum() == plain.windows_present.sum()
    likeness = np.corrcoef(moved.windows[2][0, 5, 0, 1].ravel(), inner[1].ravel())[0, 1]
    assert 0.4 < likeness < 0.999


def test_leaving_a_series_out_takes_its_windows_and_the_labels_that_need_them(case: Case) -> None:
    columns = label_columns(CONFIG.heads)
    without = plain_batch([case], CONFIG, leave_out=["axial_t2"])
    assert not without.windows_present[..., 2].any()
    assert (without.labels[..., columns["subarticular_stenosis"]] == -1).all()
    assert (without.labels[0, 2:, columns["neural_foraminal_narrowing"]] >= 0).any()
    t1_only = plain_batch([case], CONFIG, leave_out=["t2", "axial_t2"])
    assert t1_only.windows_present[..., 0].any()
    assert not t1_only.windows_present[..., 1].any()
    assert (t1_only.labels[..., columns["spinal_canal_stenosis"]] == -1).all()


def test_cases_are_drawn_once(tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grading.training.phantoms.draw_case", lambda *_: case)
    (first,) = phantom_cases(CONFIG, USUAL, tmp_path)
    monkeypatch.setattr("grading.training.phantoms.draw_case", lambda *_: pytest.fail("drawn again"))
    (again,) = phantom_cases(CONFIG, USUAL, tmp_path)
    assert first.slices[0].points == again.slices[0].points == case.slices[0].points
    for one, other in zip(case.slices, again.slices, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
    for name in VIEWS:
        np.testing.assert_array_equal(case.windows[name].images, again.windows[name].images)
    np.testing.assert_array_equal(case.labels, again.labels)


def test_frozen_seeds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected seeds below 900000"):
        phantom_cases(CONFIG, PhantomConfig(patients=2, first_seed=899_999), tmp_path)


def test_scanners_vary_and_weightings_do_not() -> None:
    setup = load_setup("setup_lumbar")
    assert varied_setup(setup, 1, 0.0) is setup
    drawn = [varied_setup(setup, seed, 1.0) for seed in range(4)]
    assert len({item.series[0].te for item in drawn}) == 4
    for item in drawn:
        assert [row.sequence for row in item.series] == [row.sequence for row in setup.series]
        for row, usual in zip(item.series, setup.series, strict=True):
            assert row.rows * row.pixel == pytest.approx(usual.rows * usual.pixel, abs=16)


def test_bytes_keep_greys_to_a_step() -> None:
    greys = np.linspace(-1.5, 2.0, 1000, dtype=np.float32)
    assert np.abs(from_bytes(to_bytes(greys)) - greys).max() < 3.5 / 255
    assert PLACEMENT.slices == 5
