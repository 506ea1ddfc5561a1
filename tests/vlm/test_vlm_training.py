"""Training: drawn findings, packed documents, schedule, exact resume, examples."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anatomy import CONDITIONS, SCALES, Condition, Protocol, load_protocol
from grading.types import GradeStatus
from runtime.errors import ConfigError, StudyError
from vlm.build import LoadedWriter, build_decoder
from vlm.config import VlmConfig
from vlm.model import IGNORED, next_token_loss, slots_loss
from vlm.prompt import load_layout
from vlm.tokenizer import ReportTokenizer
from vlm.training.corpus import CorpusMix, draw_document, load_notes
from vlm.training.examples import ExampleMix, ExampleSource, draw_examples
from vlm.training.loop import LoopConfig, learning_rate_at, run_steps
from vlm.training.packing import Document, pack_rows
from vlm.training.protocols import ProtocolMix, load_protocol_mix
from vlm.training.real_findings import RATED, load_gradings, rated_only, real_findings
from vlm.training.regions import RegionCache, _write, load_region_cache
from vlm.training.synthetic_findings import draw_findings, prevalence, widen_sets

LAYOUT = load_layout("slots-1")
REGION_DIM = 12
LOOP = LoopConfig(
    steps=8,
    learning_rate=0.01,
    warmup_steps=2,
    decay_share=0.5,
    weight_decay=0.1,
    clip_norm=1.0,
    checkpoint_every=4,
    seed=3,
)


def test_drawn_findings_keep_the_records_promises(lumbar: Protocol) -> None:
    rng = np.random.default_rng(0)
    seen: set[tuple[Condition, str]] = set()
    for _ in range(60):
        findings = draw_findings(rng, lumbar)
        ids = [grade.id for grade in findings.grades] + [item.id for item in findings.measurements]
        assert len(ids) == len(set(ids))
        assert [level.name for level in findings.levels] == list(lumbar.levels[-len(findings.levels) :])
        for grade in findings.grades:
            steps = SCALES[grade.scale].grades
            if grade.status is GradeStatus.NOT_ASSESSABLE:
                assert grade.grade is None
                assert grade.reason
                continue
            assert grade.grade in grade.prediction_set
            places = [steps.index(step) for step in grade.prediction_set]
            assert places == list(range(places[0], places[0] + len(places)))
            assert all(findings.measurement(key) is not None for key in grade.measurement_ids)
            seen.add((grade.condition, grade.grade))
    assert seen == {
        (condition, step)
        for condition in lumbar.conditions
        for step in SCALES[{"disc_degeneration": "pfirrmann", "modic": "modic"}.get(condition.value, "presence")
                        if "rsna" not in CONDITIONS[condition].scales else "rsna"].grades
    }  # fmt: skip


def test_drawn_findings_of_the_other_regions_are_on_the_scales_that_are_reported() -> None:
    rng = np.random.default_rng(0)
    reported = {"cervical": {"kang", "pfirrmann", "rsna", "presence"}, "sacroiliac": {"as_stage", "as_status"}}
    for name, expected in reported.items():
        grades = [grade for _ in range(20) for grade in draw_findings(rng, load_protocol(name)).grades]
        assert {grade.scale for grade in grades} == expected
        assert not any(grade.is_check for grade in grades)
        assert {grade.scale for grade in grades if grade.level is None} <= {"as_status"}


def test_protocol_shares_must_sum_to_one() -> None:
    mix = load_protocol_mix({"lumbar": 0.75, "cervical": 0.25}, where="here")
    rng = np.random.default_rng(0)
    drawn = [mix.draw(rng).name for _ in range(200)]
    assert 30 < drawn.count("cervical") < 70
    with pytest.raises(ConfigError, match="here, protocols: expected positive shares that sum to 1"):
        load_protocol_mix({"lumbar": 0.5}, where="here")


def test_drawn_findings_are_the_same_for_the_same_seed(lumbar: Protocol) -> None:
    first, second = (draw_findings(np.random.default_rng(4), lumbar) for _ in range(2))
    assert first == second
    assert first != draw_findings(np.random.default_rng(5), lumbar)


def test_widened_sets_hold_the_grade(lumbar: Protocol) -> None:
    rng = np.random.default_rng(2)
    sizes = set()
    for _ in range(20):
        for grade in widen_sets(draw_findings(rng, lumbar), rng).grades:
            if grade.grade is not None:
                assert grade.grade in grade.prediction_set
                sizes.add(len(grade.prediction_set))
    assert {1, 2, 3} <= sizes


def test_prevalences_are_the_counts_of_the_training_folds(data_dir: Path) -> None:
    from runtime.folds import spider_folds

    learnt = {patient: rows for patient, rows in load_gradings(data_dir).items() if spider_folds()[patient] != 0}
    assert len(learnt) == 143
    for level, counts in prevalence()["pfirrmann_by_level"].items():
        found = [rows[level][Condition.DISC_DEGENERATION] for rows in learnt.values() if level in rows]
        assert [found.count(step) for step in SCALES["pfirrmann"].grades] == counts


def test_real_findings_state_the_gradings(data_dir: Path, lumbar: Protocol) -> None:
    gradings = load_gradings(data_dir)
    assert len(gradings) == 179
    assert sum(len(rows) for rows in gradings.values()) == 1240
    assert gradings[1]["L5-S1"][Condition.DISC_DEGENERATION] == "III"
    assert gradings[1]["L4-L5"][Condition.DISC_NARROWING] == "absent"
    findings = real_findings(gradings[1], lumbar, np.random.default_rng(0), widen=False)
    for grade in rated_only(findings).grades:
        assert grade.level is not None
        assert grade.grade == gradings[1][grade.level][grade.condition]
        assert grade.prediction_set == (grade.grade,)
    assert {grade.condition for grade in rated_only(findings).grades} == RATED
    assert any(grade.condition is Condition.SPINAL_CANAL_STENOSIS for grade in findings.grades)


def test_notes_are_split_and_never_shared(data_dir: Path) -> None:
    learnt, kept = load_notes(data_dir, validation=False), load_notes(data_dir, validation=True)
    assert (len(learnt), len(kept)) == (375, 42)
    with pytest.raises(StudyError, match=r"expected notes\.csv"):
        load_notes(data_dir / "nowhere", validation=False)


def test_documents_follow_the_mix_and_the_seed(lumbar: Protocol) -> None:
    def draw(mix: CorpusMix) -> list[tuple[str, str]]:
        rng = np.random.default_rng(7)
        return [
            draw_document(rng, mix, ("A real note.",), LAYOUT, ProtocolMix((lumbar,), (1.0,))) for _ in range(20)
        ]

    assert set(draw(CorpusMix(1.0, 0.0, 0.0))) == {("", "<bos><note>A real note.<eos>")}
    assert all(given == "" and text.startswith("<bos><text>") for given, text in draw(CorpusMix(0.0, 1.0, 0.0)))
    pairs = draw(CorpusMix(0.0, 0.0, 1.0))
    assert all(given.startswith("<bos><facts>") and given.endswith("<text>") for given, _ in pairs)
    assert all("<" not in text.removesuffix("<eos>") for _, text in pairs)
    assert pairs == draw(CorpusMix(0.0, 0.0, 1.0))


def test_packed_documents_do_not_see_each_other(tokenizer: ReportTokenizer, tiny_config: VlmConfig) -> None:
    torch.manual_seed(0)
    decoder = build_decoder(tiny_config, tokenizer).eval()
    documents = iter([Document([1, 20, 21, 22, 2]), Document([1, 30, 31, 2], first_label=2), Document([1] * 40)])
    rows = pack_rows(lambda: next(documents), rows=1, length=12, pad_id=0)
    assert rows.input_ids.tolist() == [[1, 20, 21, 22, 2, 1, 30, 31, 2, 0, 0, 0]]
    assert rows.labels.tolist() == [[IGNORED, 20, 21, 22, 2, IGNORED, IGNORED, 31, 2, *[IGNORED] * 3]]
    with torch.no_grad():
        packed = decoder(input_ids=rows.input_ids, position_ids=rows.position_ids, use_cache=False).logits
        first = decoder(input_ids=rows.input_ids[:, :5]).logits
        second = decoder(input_ids=rows.input_ids[:, 5:9]).logits
    assert torch.allclose(packed[:, :5], first, atol=1e-5)
    assert torch.allclose(packed[:, 5:9], second, atol=1e-5)


def test_the_rate_rises_stays_and_falls() -> None:
    config = replace(LOOP, steps=100, warmup_steps=10, decay_share=0.2)
    rates = [learning_rate_at(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.001)
    assert rates[9] == rates[50] == rates[80] == pytest.approx(0.01)
    assert rates[99] == pytest.approx(0.01 * (0.05 + 0.95 / 20))
    assert rates[80:] == sorted(rates[80:], reverse=True)


def train_tiny(
    tokenizer: ReportTokenizer, tiny_config: VlmConfig, folder: Path, config: LoopConfig, *, resume: bool
) -> torch.nn.Module:
    torch.manual_seed(0)
    decoder = build_decoder(tiny_config, tokenizer)

    def loss(model: torch.nn.Module, seed: tuple[int, ...]) -> torch.Tensor:
        ids = torch.randint(14, 200, (2, 16), generator=torch.Generator().manual_seed(seed[0]))
        return next_token_loss(torch.dropout(model(input_ids=ids).logits, 0.1, train=True), ids)

    run_steps(decoder, loss, config, folder, resume=resume, evaluate=lambda model: {"twice": 2.0})
    return decoder


class PowerCutError(RuntimeError):
    """Stops a run in the middle."""


def test_a_resumed_run_gives_the_weights_of_an_uninterrupted_one(
    tokenizer: ReportTokenizer, tiny_config: VlmConfig, tmp_path: Path
) -> None:
    whole = train_tiny(tokenizer, tiny_config, tmp_path / "whole", LOOP, resume=False)
    torch.manual_seed(0)
    cut = build_decoder(tiny_config, tokenizer)

    def loss_until_power_cut(model: torch.nn.Module, seed: tuple[int, ...]) -> torch.Tensor:
        if seed[0] == 6:
            raise PowerCutError
        ids = torch.randint(14, 200, (2, 16), generator=torch.Generator().manual_seed(seed[0]))
        return next_token_loss(torch.dropout(model(input_ids=ids).logits, 0.1, train=True), ids)

    with pytest.raises(PowerCutError):
        run_steps(cut, loss_until_power_cut, LOOP, tmp_path / "cut")
    resumed = train_tiny(tokenizer, tiny_config, tmp_path / "cut", LOOP, resume=True)
    for first, second in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(first, second)
    lines = (tmp_path / "whole" / "log.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "step,loss,learning_rate,seconds,twice"
    assert [line.split(",")[0] for line in lines[1:]] == ["4", "8"]


def make_cache(tmp_path: Path, patients: list[int], levels: tuple[str, ...]) -> RegionCache:
    rng = np.random.default_rng(0)
    rows = [
        (patient, level, rng.normal(size=(4, REGION_DIM)).astype(np.float32))
        for patient in patients
        for level in levels
        for _ in range(2)
    ]
    _write(tmp_path / "regions.npz", rows, "abc")
    return load_region_cache(tmp_path / "regions.npz")


def test_a_region_cache_survives_the_disk(tmp_path: Path) -> None:
    cache = make_cache(tmp_path, [3, 5], ("L4-L5", "L5-S1"))
    assert cache.segmentation_checksum == "abc"
    assert len(cache.of(3, "L4-L5")) == 2
    assert cache.of(3, "L1-L2") == ()
    assert cache.of(9, "L4-L5") == ()
    mean, deviation = cache.statistics([3, 5])
    stacked = np.stack(
        [item for patient in (3, 5) for name in ("L4-L5", "L5-S1") for item in cache.of(patient, name)]
    )
    assert np.allclose(mean, stacked.mean(axis=0), atol=1e-6)
    assert np.allclose(deviation, stacked.std(axis=0), atol=1e-6)
    with pytest.raises(ConfigError, match="none of the training patients has an embedding"):
        cache.statistics([9])
    with pytest.raises(ConfigError, match="region cache: expected"):
        load_region_cache(tmp_path / "absent.npz")


def test_examples_follow_the_mix(tmp_path: Path, lumbar: Protocol) -> None:
    steps = dict.fromkeys(RATED, SCALES["presence"].grades[0])
    steps |= {Condition.DISC_DEGENERATION: "IV", Condition.MODIC: "2"}
    gradings = {3: dict.fromkeys(("L3-L4", "L4-L5", "L5-S1"), steps)}
    cache = make_cache(tmp_path, [3], ("L3-L4", "L4-L5", "L5-S1"))
    deviation = cache.statistics([3])[1]

    def draw(**shares: float) -> list:
        mix = ExampleMix(**{"real": 1.0, "structured": 1.0, "without_regions": 0.0, "without_findings": 0.0,
                            "region_noise": 0.0} | shares)  # fmt: skip
        source = ExampleSource(
            mix, LAYOUT, lumbar, ProtocolMix((lumbar,), (1.0,)), gradings, cache, deviation, region_tokens=3
        )
        return draw_examples(source, np.random.default_rng(1), 24)

    levels = [item for item in draw() if "<level>" in item.text]
    assert levels
    assert all(item.regions and "<structured>" in item.text and "<facts>" in item.text for item in levels)
    assert not any(item.regions for item in draw(without_regions=1.0))
    assert not any(item.regions for item in draw(real=0.0))
    withheld = draw(without_findings=1.0)
    assert all("<nofacts>" in item.text and "<facts>" not in item.text and item.regions for item in withheld)
    assert all("canal" not in item.target and "Pfirrmann grade IV" in item.target for item in withheld)
    styles = [item.text for item in draw(structured=0.0) if "<level>" in item.text]
    assert any("<narrative>" in text for text in styles)
    originals = np.stack([item for name in gradings[3] for item in cache.of(3, name)])
    assert all((np.abs(originals - item).max(axis=(1, 2)) < 1e-6).any() for row in levels for item in row.regions)
    noisy = [item for row in draw(region_noise=0.5) for item in row.regions]
    assert all((np.abs(originals - item).max(axis=(1, 2)) > 1e-3).all() for item in noisy)


def test_the_tiny_writer_learns_a_batch_by_heart(tiny: LoadedWriter, tmp_path: Path) -> None:
    from vlm.prompt import SlotPrompt, collate

    items = [
        SlotPrompt(
            f"<bos><level><structured><facts>{level}<region><region><region><report>", target=f"{level}: {word}."
        )
        for level, word in (("L4-L5", "Disc bulge"), ("L5-S1", "No herniation"))
    ]
    torch.manual_seed(1)
    from vlm.build import build_writer

    writer = build_writer(tiny.config, tiny.tokenizer)
    slots = collate(items, tiny.tokenizer, region_dim=REGION_DIM)
    run_steps(
        writer,
        lambda model, seed: slots_loss(model, slots),
        replace(LOOP, steps=120, checkpoint_every=120),
        tmp_path,
    )
    written = writer.eval().generate(
        slots=collate([replace(item, target=None) for item in items], tiny.tokenizer, region_dim=REGION_DIM),
        eos_id=tiny.tokenizer.eos_id,
        pad_id=tiny.tokenizer.pad_id,
        max_new_tokens=20,
    )
    assert [tiny.tokenizer.decode(ids) for ids in written] == [item.target for item in items]


def test_a_second_run_goes_on_from_the_first(tiny: LoadedWriter, tiny_config: VlmConfig, tmp_path: Path) -> None:
    from vlm.adapter import attach_adapter
    from vlm.build import build_writer
    from vlm.model import ReportWriter
    from vlm.training.adapt import start_from

    def adapted(seed: int) -> ReportWriter:
        torch.manual_seed(seed)
        plain = build_writer(tiny_config, tiny.tokenizer)
        return ReportWriter(
            attach_adapter(plain.decoder, tiny_config.adapter), plain.projector, region_id=plain.region_id
        )

    first, second = adapted(1), adapted(2)
    run_steps(
        first, lambda model, seed: first.projector.missing.pow(2).sum(), replace(LOOP, steps=4), tmp_path / "first"
    )
    second.projector.set_statistics(torch.ones(4, REGION_DIM), torch.full((4, REGION_DIM), 2.0))
    start_from(second, tmp_path / "first")
    trained = {name: item for name, item in first.named_parameters() if item.requires_grad}
    assert all(torch.equal(dict(second.named_parameters())[name], item) for name, item in trained.items())
    assert torch.equal(second.projector.mean, torch.ones(4, REGION_DIM))
    with pytest.raises(ConfigError, match=r"start: expected checkpoint\.pt"):
        start_from(second, tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="trained with another preset"):
        start_from(tiny.writer, tmp_path / "first")  # type: ignore[arg-type]
