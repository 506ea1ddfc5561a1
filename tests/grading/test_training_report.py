"""What a run leaves to be looked at: right figures, absent classes in words, real patients and phantoms apart."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anatomy import Condition
from grading.config import GraderConfig, build_grader_config
from grading.heads import HeadInfo, label_columns, load_heads
from grading.training.cases import Case, CaseSlice
from grading.training.config import PhantomConfig, RunConfig, TrainingConfig
from grading.training.held_out import HeldOut
from grading.training.report import write_report
from grading.training.report.figures import draw_confusion, draw_reliability, reliability
from grading.training.report.scored import Origin, Scored, _scored_head, origin_of, scored_heads
from grading.training.report.tables import NEVER_NAMED, NO_CASES, NOT_SCORED, confusion, step_rows
from runtime.folds import spider_folds

LEVELS = ("L3-L4", "L4-L5", "L5-S1")
LABELLED = ("disc_degeneration", "disc_narrowing", "modic")


def _scored(truth: list[int], named: list[int], levels: list[int], steps: int = 3) -> Scored:
    eye = np.eye(steps)
    return Scored(
        "made_up",
        "made up",
        tuple("abcde"[:steps]),
        True,
        np.arange(len(truth), dtype=np.int64),
        np.array(levels, dtype=np.int64),
        np.array(truth, dtype=np.int64),
        np.array(named, dtype=np.int64),
        eye[named].reshape(-1, steps),
        eye[named].reshape(-1, steps),
    )


def test_figures_by_hand() -> None:
    scored = _scored([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0])
    rows = {(row.level, row.step): row for row in step_rows(scored, LEVELS)}
    middle = rows["all", "b"]
    assert (middle.cases, middle.named, middle.patients) == (3, 3, 5)
    assert (middle.precision, middle.recall, middle.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert rows["all", "macro"].recall == pytest.approx((1 / 2 + 2 / 3) / 2)  # step c has no cases
    assert confusion(scored).tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]


def test_absent_classes_and_levels_get_words_never_figures() -> None:
    scored = _scored([0, 0, 1], [0, 2, 0], [0, 0, 1])
    rows = {(row.level, row.step): row for row in step_rows(scored, LEVELS)}
    absent = rows["L3-L4", "c"]  # named once, but no such case
    assert (absent.cases, absent.named) == (0, 1)
    assert (absent.precision, absent.recall, absent.f1) == (NO_CASES, NO_CASES, NO_CASES)
    missed = rows["L4-L5", "b"]  # one case that was not found is a true 0
    assert (missed.precision, missed.recall, missed.f1) == (NEVER_NAMED, 0.0, 0.0)
    assert isinstance(rows["L4-L5", "macro"].precision, str)
    unscored = rows["L5-S1", "-"]
    assert unscored.cells() == ("made_up", "L5-S1", "-", "0", "0", "0", NOT_SCORED, NOT_SCORED, NOT_SCORED)


def test_reliability_bins_by_hand() -> None:
    stated = np.array([0.05, 0.07, 0.91, 1.0])
    mean, frequency, counts = reliability(stated, np.array([False, True, True, True]))
    assert mean == pytest.approx([0.06, 0.955])
    assert frequency == pytest.approx([0.5, 1.0])
    assert counts.tolist() == [2, 2]


@pytest.mark.parametrize("truth", [[0, 0], [2, 2], []])
def test_a_single_class_or_none_is_drawn_all_the_same(truth: list[int], tmp_path: Path) -> None:
    scored = _scored(truth, truth, [0] * len(truth))
    draw_confusion(confusion(scored), scored.steps, "made up", tmp_path / "confusion.png")
    draw_reliability(scored, "made up", tmp_path / "reliability.png")
    for file in tmp_path.glob("*.png"):
        with Image.open(file) as picture:
            assert min(picture.size) > 100


def _config() -> GraderConfig:
    table = {"crops": {"width_px": 48, "height_px": 32}, "network": {"widths": [4, 8], "token_width": 16}}
    return build_grader_config(table, "made up")


PHANTOMS = PhantomConfig(patients=5, first_seed=500_000)


def _run(config: GraderConfig) -> RunConfig:
    return RunConfig(config, TrainingConfig(phantoms=PHANTOMS))


def test_every_patient_has_one_origin() -> None:
    assert origin_of(next(iter(spider_folds())), PHANTOMS) is Origin.SPIDER
    assert origin_of(500_004, PHANTOMS) is Origin.PHANTOM
    assert origin_of(500_005, PHANTOMS) is Origin.RSNA
    assert origin_of(4_003_253, PHANTOMS) is Origin.RSNA


def _held_out(patients: list[int], config: GraderConfig, rng: np.random.Generator, *, levels: int) -> HeldOut:
    """Make scores up, right more often than not; nobody has Pfirrmann V, T11-T12 is not scored."""
    heads = config.heads
    columns = label_columns(heads)
    count = len(patients) * levels
    labels = np.full((count, sum(map(len, columns.values()))), -1, dtype=np.int64)
    logits = {}
    for head in heads:
        steps = rng.integers(0, min(len(head.grades), 4), (count, len(columns[head.key])))
        if head.key in LABELLED:
            labels[:, list(columns[head.key])] = steps
        ranks = np.arange(len(head.grades) if head.logit_count == len(head.grades) else head.logit_count)
        if head.logit_count == len(head.grades):
            values = 2.0 * (ranks == steps[..., None])
        else:
            values = 2.0 * (steps[..., None] - ranks - 0.5)
        values = values + rng.normal(0, 1.5, (*steps.shape, 1)) * np.ones(len(ranks))
        logits[head.key] = values if head.is_sided else values[:, 0]
    return HeldOut(
        np.repeat(np.array(patients, dtype=np.int64), levels),
        np.tile(np.arange(1, levels + 1), len(patients)),
        labels,
        logits,
    )


def _folds(config: GraderConfig) -> tuple[list[Case], list[dict[str, HeldOut]]]:
    rng = np.random.default_rng(0)
    real = sorted(spider_folds())[:10]
    cases, folds = [], []
    for fold in range(5):
        patients = [*real[2 * fold : 2 * fold + 2], 500_000 + fold]
        t2 = _held_out(patients, config, rng, levels=5)
        both = replace(t2, logits={name: value + 0.1 for name, value in t2.logits.items()})
        folds.append({"t2": t2, "t1": t2, "t2+t1": both})
        for patient in patients:
            labels = np.full((len(config.network.levels), t2.labels.shape[1]), -1, dtype=np.int64)
            labels[1:6] = t2.labels[t2.patients == patient]
            image = np.zeros((4, 4), dtype=np.float32)
            cases.append(Case(patient, (CaseSlice("t2", "a", image, {}), CaseSlice("t1", "b", image, {})), labels))
    return cases, folds


def test_every_place_is_scored_once_with_all_the_series_at_hand() -> None:
    config = _config()
    _, folds = _folds(config)
    for part in scored_heads(folds, config):
        assert len(part.truth) == (15 * 5 if part.name in LABELLED else 0)
        assert part.calibrated.sum(axis=1) == pytest.approx(1)


def test_what_a_head_needs_must_be_at_hand() -> None:
    config = _config()
    _, folds = _folds(config)
    only_t1 = [{"t1": fold["t1"]} for fold in folds]
    found = {part.name: len(part.truth) for part in scored_heads(only_t1, config)}
    assert found["disc_degeneration"] == 0  # needs T2
    assert found["disc_narrowing"] == 75


def test_calibration_comes_from_the_other_folds() -> None:
    config = _config()
    _, folds = _folds(config)
    first = scored_heads(folds, config)[0]
    # Turning the first fold's labels round must not move its own probabilities.
    turned = replace(folds[0]["t2"], labels=np.where(folds[0]["t2"].labels >= 0, 3 - folds[0]["t2"].labels, -1))
    heads = load_heads("lumbar")
    turned.labels[:, 1:] = folds[0]["t2"].labels[:, 1:]
    changed = [{"t2": turned}, *({"t2": fold["t2"]} for fold in folds[1:])]
    plain = [{"t2": fold["t2"]} for fold in folds]
    before, after = (scored_heads(item, config)[0] for item in (plain, changed))
    own = np.isin(before.patients, folds[0]["t2"].patients)
    assert (before.truth[own] != after.truth[own]).any()
    np.testing.assert_allclose(before.calibrated[own], after.calibrated[own])
    assert not np.allclose(before.calibrated[~own], after.calibrated[~own])
    assert first.name == heads[0].key


@pytest.mark.slow
def test_the_report_shows_all_it_writes_and_keeps_phantoms_apart(tmp_path: Path) -> None:
    config = _config()
    cases, folds = _folds(config)
    text = write_report(_run(config), cases, folds, tmp_path / "report").read_text(encoding="utf-8")
    assert "10 patients with labels, 10 of them scored." in text
    assert "5 patients with labels, 5 of them scored." in text
    written = {file.name for file in (tmp_path / "report").iterdir()} - {"report.md"}
    assert all(name in text for name in written if not name.endswith("_confusion.csv"))
    for origin in (Origin.SPIDER, Origin.PHANTOM):
        for name in ("labels.png", "balance.png", "series.png", "balance.csv", "by_level.csv"):
            assert f"{origin}_{name}" in written
        for head in config.heads:
            for name in ("confusion.png", "confusion.csv", "reliability.png"):
                assert (f"{origin}_{head.key}_{name}" in written) == (head.key in LABELLED)
    with (tmp_path / "report" / "phantom_by_level.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    unscored = [row for row in rows if row["level"] == "T11-T12"]
    assert {row["f1"] for row in unscored} == {NOT_SCORED}
    worst = [row for row in rows if row["head"] == "disc_degeneration" and row["step"] == "V"]
    assert {row["recall"] for row in worst} == {NO_CASES}
    assert all(len(np.unique([row["patients"]])) == 1 for row in rows)
    phantom_chapter = text.split("## Phantoms")[1]
    assert "real patients" not in phantom_chapter
    assert not list((tmp_path / "report").glob("rsna*"))


def test_a_run_of_one_origin_has_one_chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("labels_by_level", "class_balance", "series", "confusion", "reliability"):
        monkeypatch.setattr(f"grading.training.report.write.draw_{name}", lambda *_: None)  # slow, tested above
    config = _config()
    cases, folds = _folds(config)
    real = [case for case in cases if origin_of(case.patient, PHANTOMS) is Origin.SPIDER]
    own = [
        {name: _of(part, np.isin(part.patients, [case.patient for case in real])) for name, part in fold.items()}
        for fold in folds
    ]
    text = write_report(_run(config), real, own, tmp_path).read_text(encoding="utf-8")
    assert "hantom" not in text
    assert not list(tmp_path.glob("phantom*"))


def _of(part: HeldOut, rows: np.ndarray) -> HeldOut:
    logits = {name: value[rows] for name, value in part.logits.items()}
    return HeldOut(part.patients[rows], part.levels[rows], part.labels[rows], logits)


def test_both_sides_of_a_sided_head_are_places_of_their_own() -> None:
    config = _config()
    sided = replace(
        config.heads[0], condition=Condition.NEURAL_FORAMINAL_NARROWING, scale="rsna", needs=(), views=()
    )
    levels = np.arange(7)
    steps = np.tile([[0, 2]], (7, 1))
    part = HeldOut(np.full(7, 1), levels, steps, {sided.key: np.zeros((7, 2, 2))})
    other = replace(part, patients=np.full(7, 2))
    found = _scored_head([{"t2": part}, {"t2": other}], _OneHead(sided), sided)  # type: ignore[arg-type]
    assert len(found.truth) == 28
    assert np.bincount(found.truth).tolist() == [14, 0, 14]


class _OneHead:
    """A configuration with one sided head."""

    views = ()

    def __init__(self, head: HeadInfo) -> None:
        self.heads = (head,)

    def head_sources(self, head: HeadInfo) -> tuple[str, ...]:
        return ("t2",)
