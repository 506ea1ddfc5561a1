"""Random contrast: the same anatomy, any signal."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anatomy import disc_label
from imaging.phantom.build import build_phantom, paint_grid
from imaging.phantom.draws import paint_patient
from imaging.phantom.picture import phantom_picture, slice_through, to_grey
from imaging.phantom.scan import clutter, contrast
from imaging.phantom.scan.clutter import with_clutter
from imaging.phantom.scan.contrast import draw_signals, family_of, load_contrast_table, random_contrast
from imaging.phantom.scan.scanners import draw_scanner
from imaging.phantom.scan.texture import prepare
from imaging.phantom.scene import build_scene
from imaging.phantom.setup import load_setup
from imaging.phantom.tissues import Palette, Tissue
from imaging.phantom.types import Phantom
from runtime.errors import ConfigError
from tests.built_phantoms import built_phantom

ROW = replace(load_setup("setup_lumbar").series[0], slices=1, thickness=3.0)


@pytest.fixture(scope="module")
def whole() -> Phantom:
    return built_phantom("lumbar")


def test_families_leave_the_level_away() -> None:
    assert family_of("marrow_L3") == "marrow"
    assert family_of("nucleus_L4-L5") == "nucleus"
    assert family_of("modic_1") == "modic_1"
    assert family_of("root_sheath") == "root_sheath"


def test_members_of_a_family_are_alike_and_families_are_not() -> None:
    palette, table = Palette(), load_contrast_table()
    for level in ("L1", "L2", "L3", "L4", "L5"):
        palette.add(f"marrow_{level}", Tissue(t1=1, t2=1, pd=1))
    drawn = np.array([draw_signals(palette, table, np.random.default_rng(seed)) for seed in range(300)])
    bodies = [palette.number(f"marrow_{level}") for level in ("L1", "L2", "L3", "L4", "L5")]
    within, between = drawn[:, bodies].std(axis=1).mean(), drawn[:, bodies].mean(axis=1).std()
    assert between > 5 * within > 0
    assert between == pytest.approx(0.98 / np.sqrt(12), rel=0.15)  # uniform from 0.02 to 1
    air = drawn[:, palette.number("air")]
    # three in four are dark by choice, and 6 in 98 of the others by chance
    assert np.mean(air <= 0.08) == pytest.approx(0.75 + 0.25 * 0.06 / 0.98, abs=0.08)


def test_draws_share_the_anatomy_and_differ_in_contrast_and_come_again(whole: Phantom) -> None:
    patient = paint_patient("lumbar", seed=7, row=ROW)
    labels, images = patient.labels(), list(patient.random_contrasts(4))
    assert labels.shape == images[0].shape == (ROW.cols, ROW.rows, 1)
    again = paint_patient("lumbar", seed=7, row=ROW).random_contrasts(4)
    assert all(np.array_equal(one, two) for one, two in zip(images, again, strict=True))
    canal, body = labels == 100, labels == 3  # the canal, L3
    ratios = [float(image[canal].mean() / image[body].mean()) for image in images]
    assert max(ratios) > 1.5 * min(ratios)
    label_array = whole.series_by_role("sagittal_t2").label_array
    assert np.array_equal(labels[:, :, 0], label_array[:, :, label_array.shape[2] // 2])


def test_random_scanners_differ_and_come_again() -> None:
    patient = paint_patient("lumbar", seed=3, row=ROW)
    images = list(patient.random_scanners(4))
    assert all(np.array_equal(one, two) for one, two in zip(images, patient.random_scanners(4), strict=True))
    labels = patient.labels()
    ratios = [float(image[labels == 100].mean() / image[labels == 3].mean()) for image in images]
    assert max(ratios) > 1.5 * min(ratios)
    assert all(np.isfinite(image).all() and image.min() >= 0 for image in images)


def test_drawn_scanners_stay_within_their_table_and_keep_grid_and_anatomy() -> None:
    rng, setup = np.random.default_rng(0), load_setup("setup_lumbar")
    drawn = [draw_scanner(ROW, setup, rng) for _ in range(300)]
    assert {row.sequence for row, _ in drawn} == {"t1", "t2", "stir"}
    assert np.mean([row.sequence == "t2" for row, _ in drawn]) == pytest.approx(0.55, abs=0.09)
    for row, scanner in drawn:
        assert (row.ti > 0) is (row.sequence == "stir")
        assert (row.rows, row.cols, row.pixel, row.slices) == (ROW.rows, ROW.cols, ROW.pixel, ROW.slices)
        assert scanner.field_strength_t in (1.5, 3.0)
        assert scanner.anatomy == setup.anatomy


@pytest.mark.slow
def test_a_setup_of_random_contrast_makes_whole_studies(whole: Phantom) -> None:
    drawn = build_phantom("lumbar", seed=7, setup="setup_lumbar_random")
    assert drawn.truth() == whole.truth()
    for one, two in zip(whole.series, drawn.series, strict=True):
        assert np.array_equal(one.label_array, two.label_array)
        assert not np.array_equal(one.array, two.array)
    t1, t2 = (drawn.series_by_role(role).array for role in ("sagittal_t1", "sagittal_t2"))
    assert abs(np.corrcoef(t1.ravel(), t2.ravel())[0, 1]) < 0.9


def test_a_slice_is_drawn_in_less_than_a_sixth_of_a_second() -> None:
    setup, palette = load_setup("setup_lumbar"), Palette()
    scene = build_scene(setup, seed=1, palette=palette)
    painted = prepare(paint_grid(scene, ROW, setup), palette, seed=(1, 6))
    start = time.process_time()
    for draw in range(6):
        random_contrast(painted, palette, seed=(1, draw))
    assert (time.process_time() - start) / 6 < 0.15


def test_clutter_changes_soft_tissue_only_and_in_most_draws() -> None:
    patient = paint_patient("lumbar", seed=7, row=ROW)
    before, labels = patient.painted.numbers, patient.labels().transpose(2, 0, 1)
    changed = []
    for seed in range(12):
        after = with_clutter(patient.painted, patient.palette, np.random.default_rng(seed)).numbers
        differs = (after != before).any(axis=1)
        changed.append(float(differs.mean()))
        assert not differs[labels > 0].any()
        for name in ("air", "csf", "cord", "skin"):
            assert not differs[(before == patient.palette.number(name)).any(axis=1)].any()
    assert 4 <= sum(share > 0 for share in changed) <= 12  # seven in ten
    assert max(changed) > 0.02


@pytest.mark.parametrize(
    ("text", "load", "words"),
    [
        ("version: x\nsignal: [0, 1]\n", contrast.load_contrast_table, "contrast.yaml: unknown or missing keys"),
        ("clutter: {speed: 1}\n", clutter.load_clutter_table, "contrast.yaml: clutter: unknown or missing keys"),
    ],
)
def test_a_wrong_table_is_refused(
    text: str,
    load: Callable[[], object],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "contrast.yaml"
    file.write_text(text, encoding="utf-8")
    for module in (contrast, clutter):
        monkeypatch.setattr(module, "phantom_file", lambda name: file)
    with pytest.raises(ConfigError, match=words):
        load.__wrapped__()  # type: ignore[attr-defined]  # past the cache


def test_a_picture_shows_the_slice_through_a_level(whole: Phantom) -> None:
    series = whole.series_by_role("axial_t2")
    k = slice_through(series, whole.level("L4-L5").centre_ras_mm)
    assert disc_label("L4-L5") in series.label_array[:, :, k]
    picture = phantom_picture(whole, role="axial_t2", level="L4-L5")
    assert np.array_equal(picture, to_grey(series.array[:, :, k].T))
    assert picture.max() == 255
    with pytest.raises(KeyError, match="C5-C6"):
        phantom_picture(whole, role="axial_t2", level="C5-C6")
