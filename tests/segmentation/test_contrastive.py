"""The contrastive run: losses by hand and against open_clip, draws against phantom truth, runs through disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anatomy import STRUCTURES, Structure, disc_label, vertebra_label
from cli.main import main
from runtime.errors import ConfigError, StudyError, WeightsError
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from segmentation.clip.config import ClipConfig
from segmentation.clip.predict import RegionText
from segmentation.clip.statements import statements
from segmentation.training import contrastive
from segmentation.training.contrastive import ContrastiveTrainer, store_clip
from segmentation.training.contrastive_config import (
    ContrastiveRun,
    ContrastiveTraining,
    PhantomDraw,
    load_contrastive_run,
)
from segmentation.training.contrastive_draws import Drawer, RegionPool, real_pool
from segmentation.training.contrastive_losses import region_loss, wording_loss
from segmentation.training.contrastive_phantoms import PhantomPatient, draw_patient, load_phantom_patients
from segmentation.training.contrastive_real import read_gradings, real_patients, real_regions
from segmentation.training.contrastive_regions import phantom_regions, phantom_slices, truth_table

MODEL = ClipConfig(visual_layers=(1, 1, 1, 1), visual_width=8, visual_head_width=32, text_layers=1)
DRAW = PhantomDraw(patients=1, first_seed=200000, rows=160, columns=128, pixel_mm=(1.9, 2.0), scanners=1)
TRAINING = ContrastiveTraining(steps=6, regions=10, statements=24, ema=0.5, phantoms=(DRAW,), learning_rate=0.01)


@pytest.fixture(scope="module")
def patient() -> PhantomPatient:
    """Return one small lumbar phantom."""
    return draw_patient(DRAW, DRAW.first_seed)


@pytest.fixture(scope="module")
def pool(patient: PhantomPatient) -> RegionPool:
    """Return its regions."""
    regions = list(phantom_regions(0, patient, np.random.default_rng(0)))
    return RegionPool("phantom", [phantom_slices(patient)], regions, truth_table(regions, statements()))


class TestLosses:
    def test_true_and_false_pairs_weigh_the_same(self) -> None:
        logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]], requires_grad=True)
        truth = torch.tensor([[1, 0, -1], [0, 0, 0]], dtype=torch.int8)
        false = [np.log1p(np.exp(value)) for value in (-1.0, 0.0, 3.0, -2.0)]
        expected = (np.log1p(np.exp(-2.0)) + np.mean(false)) / 2
        loss = region_loss(logits, truth)
        assert loss.item() == pytest.approx(expected, abs=1e-6)
        (gradient,) = torch.autograd.grad(loss, logits)
        assert gradient[0, 2] == 0  # unknown pairs teach nothing

    def test_nothing_known_teaches_nothing(self) -> None:
        logits = torch.ones(2, 2, requires_grad=True)
        loss = region_loss(logits, torch.full((2, 2), -1, dtype=torch.int8))
        assert loss.item() == 0
        assert torch.autograd.grad(loss, logits)[0].abs().max() == 0

    def test_wordings_are_compared_as_open_clip_compares_pairs(self) -> None:
        allow_torchvision_on_cpu()
        from open_clip.loss import ClipLoss

        generator = torch.Generator().manual_seed(1)
        first, second = (
            torch.nn.functional.normalize(torch.randn(7, 16, generator=generator), dim=1) for _ in range(2)
        )
        expected = ClipLoss()(first, second, logit_scale=torch.tensor(1 / 0.1))
        torch.testing.assert_close(wording_loss(first, second, 0.1), expected)


class TestPhantomRegions:
    def test_centres_lie_in_what_they_are_said_to_show(self, patient: PhantomPatient, pool: RegionPool) -> None:
        canal = STRUCTURES[Structure.SPINAL_CANAL].label
        assert len(pool.regions) > 30
        for region in pool.regions:
            x, y = region.centre
            label = patient.labels[region.slice_index, round(y), round(x)]
            facts = region.facts
            if facts.margin:
                near = patient.labels[region.slice_index, round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4]
                assert disc_label(str(facts.level)) in near  # 3 pixels are 6 mm
            elif facts.vertebra:
                assert label == vertebra_label(facts.vertebra)
            elif facts.level:
                assert label == disc_label(facts.level)
            elif facts.structures == {"spinal_canal"}:
                assert label == canal

    def test_findings_are_those_of_the_phantom(self, patient: PhantomPatient, pool: RegionPool) -> None:
        truth = {(c, level): grade for c, level, side, grade in patient.grades if c == "disc_degeneration"}
        graded = [region for region in pool.regions if region.facts.grades]
        assert {region.facts.level for region in graded} >= {"L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"}
        for region in graded:
            level = str(region.facts.level)
            assert region.facts.grades["disc_degeneration"] == {truth["disc_degeneration", level]}
            assert region.slice_index == 1  # findings of the midline are said of the middle slice only

    def test_the_cache_gives_back_what_was_drawn(self, tmp_path: Path, patient: PhantomPatient) -> None:
        (first,) = load_phantom_patients((DRAW,), tmp_path)
        (second,) = load_phantom_patients((DRAW,), tmp_path)
        for item in (first, second):
            np.testing.assert_array_equal(item.images, patient.images)
            np.testing.assert_array_equal(item.labels, patient.labels)
            assert item.grades == patient.grades
            assert item.points.keys() == patient.points.keys()
        assert len(list(tmp_path.glob("clip_lumbar_*.npz"))) == 1


class TestDraws:
    def test_batches_hold_true_false_and_rival_statements(self, pool: RegionPool) -> None:
        drawer = Drawer([pool], replace(TRAINING, regions=16, statements=64))
        batch = drawer.draw(np.random.default_rng(0))
        assert batch.crops.shape == (16, 3, 96, 96)
        assert batch.truth.shape == (16, len(batch.statements))
        assert len(set(batch.statements.tolist())) == len(batch.statements) == 64
        assert (batch.truth == 1).any(axis=1).mean() > 0.8
        assert (batch.truth == 0).any()
        assert np.isfinite(batch.crops).all()

    def test_two_wordings_differ_and_mean_the_same(self, pool: RegionPool) -> None:
        drawer = Drawer([pool], TRAINING)
        rng = np.random.default_rng(0)
        for number in (0, 40, 400, 900):
            first, second = drawer.two_wordings(number, rng)
            assert first != second
            assert {first, second} <= set(statements()[number].wordings)

    def test_rivals_of_a_finding_are_its_other_levels_and_grades(self, pool: RegionPool) -> None:
        said = statements()
        drawer = Drawer([pool], TRAINING)
        (index,) = [n for n, s in enumerate(said) if (s.name, s.place) == ("severe_degeneration", "L4-L5")]
        rivals = {(said[n].name, said[n].place) for n in drawer.rivals[index]}
        assert ("severe_degeneration", "L3-L4") in rivals
        assert ("no_degeneration", "L4-L5") in rivals
        assert not any(name == "herniation" for name, _ in rivals)


class TestRealRegions:
    def test_a_straight_chain_by_hand(self) -> None:
        chain = {"L3-L4": (100.0, 50.0), "L4-L5": (100.0, 90.0), "L5-S1": (100.0, 130.0)}
        grades = {"L4-L5": {"disc_bulging": frozenset({"present"})}}
        regions = list(real_regions(3, 1.0, chain, grades))
        discs = {r.facts.level: r for r in regions if r.facts.structures == {"disc"}}
        assert all(region.pitch_px == pytest.approx(40) for region in regions)
        assert discs["L4-L5"].centre == pytest.approx((100 - 0.45 * 40, 90))
        assert discs["L4-L5"].facts.grades == grades["L4-L5"]
        assert not discs["L3-L4"].facts.grades
        bones = {r.facts.vertebra: r.centre for r in regions if r.facts.vertebra}
        assert bones == {"L4": pytest.approx((82, 70)), "L5": pytest.approx((82, 110))}
        canals = [r.centre for r in regions if r.facts.structures == {"spinal_canal"}]
        assert canals[0] == pytest.approx((108, 50))

    def test_a_missing_level_halves_nothing(self) -> None:
        chain = {"L3-L4": (100.0, 50.0), "L5-S1": (100.0, 65.0)}  # rows 2 apart: 30 columns for two levels
        regions = list(real_regions(0, 2.0, chain, {}))
        assert all(region.pitch_px == pytest.approx(15) for region in regions)
        assert not any(region.facts.vertebra for region in regions)

    def test_spider(self, data_dir: Path) -> None:
        gradings = read_gradings(data_dir)
        assert len(gradings) == 1240
        assert sum(grades["disc_herniation"] == {"present"} for grades in gradings.values()) == 62
        five = [next(iter(grades["disc_degeneration"])) for grades in gradings.values()]
        assert [five.count(grade) for grade in ("I", "II", "III", "IV", "V")] == [235, 305, 343, 214, 143]
        assert sum(1 for _ in real_patients(data_dir)) == 172
        one = real_pool(data_dir, lambda patient: patient == 1)
        assert {region.facts.level for region in one.regions if region.facts.margin} == {
            "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1",
        }  # fmt: skip

    def test_without_tables(self, tmp_path: Path) -> None:
        with pytest.raises(StudyError, match=r"disc_points.csv: expected SPIDER's tables"):
            list(real_patients(tmp_path))


def trainer_of(pool: RegionPool, folder: Path, **changes: object) -> ContrastiveTrainer:
    run = ContrastiveRun(MODEL, replace(TRAINING, **changes))  # type: ignore[arg-type]
    return ContrastiveTrainer(run, [pool], folder)


class TestTraining:
    def test_the_loss_falls_and_the_model_comes_back(self, pool: RegionPool, tmp_path: Path) -> None:
        trainer = trainer_of(pool, tmp_path / "work", steps=12)
        seen: list[float] = []
        trainer.run_steps(lambda progress: seen.append(_region(progress.message)))
        assert np.mean(seen[-4:]) < np.mean(seen[:2])
        store_clip(trainer.averaged(), trainer.run, tmp_path / "region-text", None)
        loaded = RegionText.load(root=tmp_path)
        crops = np.random.default_rng(0).normal(size=(2, 3, 96, 96)).astype(np.float32)
        expected = RegionText(trainer.averaged(), MODEL).similarity(crops, ["sacrum", "normal disc"])
        np.testing.assert_allclose(loaded.similarity(crops, ["sacrum", "normal disc"]), expected, atol=1e-6)

    def test_resumed_as_unbroken(self, pool: RegionPool, tmp_path: Path) -> None:
        whole = trainer_of(pool, tmp_path / "whole")
        whole.run_steps()
        first = trainer_of(pool, tmp_path / "broken", checkpoint_steps=2)
        for _ in range(4):
            first._take_step()
        first._save()
        second = trainer_of(pool, tmp_path / "broken")
        assert second.restore()
        assert second.step == 4
        second.run_steps()
        for key, value in whole.average.values.items():
            torch.testing.assert_close(second.average.values[key], value, rtol=0, atol=0)

    def test_a_locked_text_tower_stays_as_it_is(self, pool: RegionPool, tmp_path: Path) -> None:
        first = trainer_of(pool, tmp_path / "one", steps=2)
        first.run_steps()
        store_clip(first.averaged(), first.run, tmp_path / "stage1", None)
        second = trainer_of(
            pool,
            tmp_path / "two",
            steps=2,
            text_from=str(tmp_path / "stage1" / "text_tower.safetensors"),
            visual_from=str(tmp_path / "stage1"),
        )
        images = {k: v.clone() for k, v in second.model.visual.state_dict().items()}
        second.run_steps()
        for key, value in first.averaged().text.state_dict().items():
            torch.testing.assert_close(second.averaged().text.state_dict()[key], value, rtol=0, atol=0)
        assert any(not torch.equal(images[k], v) for k, v in second.model.visual.state_dict().items())

    def test_a_missing_tower_is_named(self, pool: RegionPool, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"expected gone.safetensors .*train it first"):
            trainer_of(pool, tmp_path, text_from=str(tmp_path / "gone.safetensors"))


class TestConfiguration:
    @pytest.mark.parametrize("name", ["contrastive", "contrastive_stage1", "text_biomedclip"])
    def test_shipped_files_load(self, name: str) -> None:
        run = load_contrastive_run(Path("configs/segmentation") / f"{name}.yaml")
        assert {draw.protocol for draw in run.training.phantoms} == {"lumbar", "cervical", "sacroiliac"}
        assert all(draw.first_seed + draw.patients < 900_000 for draw in run.training.phantoms)
        assert bool(run.training.real_share) == bool(run.training.text_from)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("training: {stepz: 3}", r"unknown keys stepz"),
            ("training: {steps: many}", "steps: expected int, got 'many'"),
            ("training: {steps: 0, phantoms: [{}]}", "expected at least 1 each"),
            ("training: {graded_share: 2.0, phantoms: [{}]}", "expected 0 to 1"),
            ("training: {steps: 3}", "phantoms: expected some"),
            ("training: {real_share: 0.5, phantoms: [{}]}", "patients of every fold; give text_from"),
            ("training: {phantoms: [{patient: 3}]}", r"phantoms: unknown keys patient"),
            ("modell: {}", "expected the keys model and training"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, text: str, words: str) -> None:
        file = tmp_path / "c.yaml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=words):
            load_contrastive_run(file)

    def test_folds_that_cannot_be_held_out(self) -> None:
        folder = Path("configs/segmentation")
        with pytest.raises(ConfigError, match="expected 0 to 4, got 7"):
            contrastive.train(folder / "contrastive.yaml", fold=7)
        with pytest.raises(ConfigError, match="trains on phantoms alone, got 1"):
            contrastive.train(folder / "contrastive_stage1.yaml", fold=1)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="expected a training file"):
            load_contrastive_run(tmp_path / "absent.yaml")


def test_the_command_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: RegionPool, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contrastive, "load_pools", lambda training, fold: [pool])
    config = tmp_path / "c.yaml"
    model = "{visual_layers: [1, 1, 1, 1], visual_width: 8, visual_head_width: 32, text_layers: 1}"
    training = "{steps: 2, regions: 6, statements: 12, phantoms: [{}]}"
    config.write_text(f"model: {model}\ntraining: {training}\n", encoding="utf-8")
    out = tmp_path / "region-text"
    assert main(["train", "contrastive", "--config", str(config), "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert RegionText.load(root=tmp_path).embed_phrases(["left ilium", "right ilium"]).shape == (2, 128)


def _region(message: str) -> float:
    return float(message.split("region ")[1].split(",")[0])
