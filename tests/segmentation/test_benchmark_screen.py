"""The screen: its variants are training files, stale runs are made anew, and its table is right."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.segmentation import __main__ as commands
from benchmarks.segmentation import folds
from benchmarks.segmentation import jobs as runs
from benchmarks.segmentation.folds import Finalist, is_finished, load_finalists, train_folds
from benchmarks.segmentation.jobs import alone, append_table, read_scores, run_one, table_rows
from benchmarks.segmentation.plan import Job, load_screen, merged
from benchmarks.segmentation.scoring import FOREGROUND, Row
from benchmarks.segmentation.screen import judge, screen_table, write_screen
from runtime.errors import ConfigError, WeightsError
from segmentation.training.config import load_run_config

SCREEN = load_screen()
JOBS = SCREEN.jobs(seeds=[0])
SCORED = [Row(FOREGROUND, 1, 0.5), Row(FOREGROUND, 2, 0.7)]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.variant)
def test_every_variant_is_a_training_file(job: Job, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    for values in filter(None, (job.run, job.start)):
        file.write_text(yaml.safe_dump(values))
        config = load_run_config(file)
        assert config.training.seed == 0
        assert config.training.pseudo.at_steps == ()


def test_variants_differ_from_the_base_in_one_thing() -> None:
    by_name = {job.variant: job for job in JOBS}
    base = by_name["base"].run
    change = {"network": {"architecture": "unet"}, "training": {"text_tower": None}}  # it is asked no words
    assert by_name["unet"].run == merged(base, change)
    assert by_name["pid_recall"].run["training"]["pid"]["errors"] == ["recall_set_point"]
    assert by_name["pid_recall"].run["training"]["pid"]["beta_low"] == base["training"]["pid"]["beta_low"]
    start = by_name["phantom_random_contrast"].start
    assert start is not None
    assert start["training"]["mix"] == {"phantom": 1.0}  # replaced, not merged with the base's kinds
    assert by_name["phantom_random_contrast"].run == base
    assert len({job.fingerprint for job in JOBS}) == len(JOBS)
    assert {job.fingerprint for job in SCREEN.jobs(seeds=[1])}.isdisjoint(job.fingerprint for job in JOBS)
    assert replace(JOBS[0], revision=2).fingerprint != JOBS[0].fingerprint


def test_losses_of_the_issue_are_all_there() -> None:
    told = {(job.run["training"]["region_loss"], tuple(job.run["training"]["pid"]["errors"])) for job in JOBS}
    assert {name for name, _ in told} == {"dice", "tversky", "focal_tversky", "pid_tversky"}
    assert {errors for name, errors in told if name == "pid_tversky"} == {
        ("recall_set_point",),
        ("precision_recall_gap",),
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base": "nobody"}, "base and short: expected names of variants"),
        ({"variants": {"base": {"start": "nowhere"}}, "short": {"seeds": [0], "variants": []}}, "a start among"),
        ({"variants": {"base": {"los": 1}}}, r"base: expected \['network'"),
        ({"fold": 9}, "fold: expected 0 to 4, got 9"),
    ],
)
def test_wrong_files_are_refused(change: dict[str, object], words: str, tmp_path: Path) -> None:
    values = yaml.safe_load(Path("configs/segmentation/ablation/screen.yaml").read_text())
    file = tmp_path / "screen.yaml"
    file.write_text(yaml.safe_dump(values | change))
    with pytest.raises(ConfigError, match=words):
        load_screen(file)
    file.write_text(yaml.safe_dump({"fold": 0}))
    with pytest.raises(ConfigError, match="expected the keys"):
        load_screen(file)
    with pytest.raises(ConfigError, match="found nothing"):
        load_screen(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="expected variants among"):
        SCREEN.jobs(["nobody"])


class Trainings:
    """Stands for training and scoring: notes what was asked, leaves a file behind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, dict[str, object]]] = []
        monkeypatch.setattr(runs, "train", self.train)
        monkeypatch.setattr(runs, "load_model", lambda folder: folder)
        monkeypatch.setattr(runs, "score_all", lambda data, models: SCORED)

    def train(self, config: Path, *, fold: int, output: Path, resume: bool) -> Path:
        assert resume
        assert fold == SCREEN.fold
        self.asked.append((output.name, yaml.safe_load(config.read_text())["training"]))
        output.mkdir(exist_ok=True)
        return output


def test_a_job_is_run_once_and_again_when_settings_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = Trainings(monkeypatch)
    job = next(job for job in JOBS if job.variant == "phantom_scanners")
    assert run_one(job, tmp_path) == SCORED
    assert [name for name, _ in trainings.asked] == ["start", "model"]
    assert trainings.asked[0][1]["mix"] == {"phantom": 1.0}
    assert trainings.asked[1][1]["start"] == str(tmp_path / job.name / "start")
    assert run_one(job, tmp_path) == SCORED
    assert len(trainings.asked) == 2  # nothing was trained twice
    left = tmp_path / job.name / "model.work"
    left.mkdir()
    other = replace(job, run=merged(job.run, {"training": {"steps": 7}}))
    assert read_scores(other, tmp_path) is None
    run_one(other, tmp_path)
    assert trainings.asked[3][1]["steps"] == 7
    assert not left.exists()  # a checkpoint of other settings is never gone on with


def test_a_job_that_runs_elsewhere_is_left_alone(tmp_path: Path) -> None:
    lock = tmp_path / "base-s0.lock"
    with alone(lock), pytest.raises(ConfigError, match="base-s0: expected a run that nobody runs"), alone(lock):
        pass
    with alone(lock):  # let go of
        pass


def test_table_keeps_each_job_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Trainings(monkeypatch)
    first, second, *_ = JOBS
    table = tmp_path / "screen.csv"
    run_one(first, tmp_path)
    assert append_table(JOBS, tmp_path, table) == 1
    run_one(second, tmp_path)
    assert append_table(JOBS, tmp_path, table) == 1
    assert append_table(JOBS, tmp_path, table) == 0
    assert len(table.read_text().splitlines()) == 1 + 2 * len(SCORED)
    assert table_rows(JOBS, table) == {(first.variant, 0): SCORED, (second.variant, 0): SCORED}
    assert table_rows([replace(first, revision=2)], table) == {}  # figures of other settings are not told
    table.write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="expected the columns"):
        table_rows(JOBS, table)


def seeds(values: dict[int, float], patients: int = 8) -> dict[int, list[Row]]:
    """Return seed -> rows whose mean is the value; patients lie around it, the same way for all seeds."""
    around = np.linspace(-0.1, 0.1, patients)
    return {
        seed: [Row(FOREGROUND, patient, value + offset) for patient, offset in enumerate(around)]
        for seed, value in values.items()
    }


def test_mean_spread_and_paired_difference(tmp_path: Path) -> None:
    results = {("base", seed): rows for seed, rows in seeds({0: 0.70, 1: 0.72, 2: 0.74}).items()}
    results |= {("unet", seed): rows for seed, rows in seeds({0: 0.75, 1: 0.71, 2: 0.80}).items()}
    told = judge(results, "unet", "base", FOREGROUND)
    assert told is not None
    assert told.difference is not None
    assert told.mean == pytest.approx((0.75 + 0.71 + 0.80) / 3)
    assert told.spread == pytest.approx(np.std([0.75, 0.71, 0.80], ddof=1))
    assert told.difference.value == pytest.approx(0.1 / 3)
    assert told.difference.low == pytest.approx(0.1 / 3)  # patients differ alike: their spread cancels
    assert told.better_seeds == 2
    own = judge(results, "base", "base", FOREGROUND)
    assert own is not None
    assert own.difference is None
    assert judge(results, "unet", "base", "no such task") is None
    lines = screen_table(results, "base").splitlines()
    assert lines[2].startswith("| base | 0.720 (0.020) |  |  |")
    assert lines[3].startswith("| unet | 0.753 (0.045) | +0.033 (+0.033 to +0.033, n=8) | 2 of 3 |")
    write_screen(tmp_path / "screen.json", results, "base")
    assert '"better_seeds": 2' in (tmp_path / "screen.json").read_text()


def test_a_seed_that_the_base_lacks_has_no_part_in_the_difference() -> None:
    results = {("base", 0): seeds({0: 0.7})[0]}
    results |= {("unet", seed): rows for seed, rows in seeds({0: 0.75, 1: 0.2}).items()}
    told = judge(results, "unet", "base", FOREGROUND)
    assert told is not None
    assert told.difference is not None
    assert told.difference.value == pytest.approx(0.05)


def test_less_distance_is_better() -> None:
    task = "SPACE disc HD95 mm"
    results = {("base", 0): [Row(task, 1, 5.0)], ("unet", 0): [Row(task, 1, 3.0)]}
    told = judge(results, "unet", "base", task)
    assert told is not None
    assert told.better_seeds == 1


def test_a_broken_off_fold_is_not_finished(tmp_path: Path) -> None:
    assert not is_finished(tmp_path)
    (tmp_path / "checksums.json").write_text("{}")
    for taken, done in ((1300, False), (1800, True)):
        training = f'{{"steps": 1300, "finish": {{"steps": 500}}, "steps_taken": {taken}}}'
        (tmp_path / "config.json").write_text(f'{{"training": {training}}}')
        assert is_finished(tmp_path) is done


def test_finalists_are_training_files_that_begin_from_what_they_say() -> None:
    finalists = load_finalists()
    assert "ours" in finalists
    for finalist in finalists.values():
        run = load_run_config(finalist.run)
        if finalist.start is not None:
            start = load_run_config(finalist.start)
            assert run.training.start is not None
            assert start.network.architecture == run.network.architecture
            assert start.training.finish.steps == 0
            kinds = set(start.training.mix)
            assert kinds & {"space", "t2", "t1", "vertebrae"} == set()  # no held-out patient may be in it


def test_missing_folds_are_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int | None]] = []
    monkeypatch.setattr(
        folds, "train", lambda config, *, output, resume, fold=None: asked.append((output.name, fold))
    )
    monkeypatch.setattr(folds, "is_finished", lambda model: model.name == "fold1")
    (tmp_path / "run.yaml").write_text("training: {start: somewhere/pretrain}")
    finalist = Finalist("ours", tmp_path / "run.yaml", tmp_path / "start.yaml")
    assert train_folds(finalist, tmp_path) == tmp_path / "ours"
    assert asked == [("pretrain", None), ("fold0", 0), ("fold2", 2), ("fold3", 3), ("fold4", 4)]
    (tmp_path / "run.yaml").write_text("training: {}")
    with pytest.raises(ConfigError, match=r"run.yaml: expected training.start"):
        train_folds(finalist, tmp_path)
    (tmp_path / "table.yaml").write_text("ours: {start: a.yaml}")
    with pytest.raises(ConfigError, match="ours: expected run"):
        load_finalists(tmp_path / "table.yaml")


def test_without_data_only_phantoms_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPINESCRIBE_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(commands, "OUT", tmp_path)
    monkeypatch.setattr(commands, "score_phantoms", lambda model, patients: SCORED)
    commands.main(["bench"])
    told = capsys.readouterr().out
    assert "No real data at" in told
    assert FOREGROUND in told
    for words in (["score"], ["screen"], ["folds", "ours"], ["render"]):
        with pytest.raises((ConfigError, WeightsError)):
            commands.main(words)
