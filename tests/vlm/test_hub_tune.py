"""Tuning of hub presets: two steps of every class, resume, the adapter merged, the run read back as a writer."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from anatomy import Protocol, load_protocol
from runtime.errors import ConfigError, WeightsError
from tests.vlm.hub_fixtures import NAMES, REGION_DIM, SEEING, gradings, key_slice_of, slice_file, small_preset
from tests.vlm.hub_models import BUILDERS, image_tower
from vlm import train
from vlm.hub import tune as tuning
from vlm.hub.config import load_hub_config
from vlm.hub.drafter import HubDrafter, to_model
from vlm.hub.examples import HubMix, HubSource, draw_batch
from vlm.hub.load import load_hub, merge, open_model
from vlm.hub.prompts import load_instructions
from vlm.hub.source import read_folder
from vlm.hub.talk import Talker
from vlm.hub.tune import MERGED, PRESET, parse_tune, tune
from vlm.training.regions import RegionCache
from vlm.training.synthetic_findings import draw_findings
from vlm.writers import WriterChoice, open_writer, preset_file

CPU = torch.device("cpu")
LOOP = {
    "steps": 2, "learning_rate": 0.01, "warmup_steps": 0, "decay_share": 0.0, "weight_decay": 0.0,
    "clip_norm": 1.0, "checkpoint_every": 1, "seed": 5,
}  # fmt: skip


@pytest.fixture(scope="session")
def hub_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("hub-tune")
    torch.manual_seed(0)
    image_tower(root / "tower")
    return {name: build(root / name) for name, build in BUILDERS.items()}


@pytest.fixture(scope="session")
def lumbar() -> Protocol:
    return load_protocol("lumbar")


def region_cache() -> RegionCache:
    rng = np.random.default_rng(4)
    rows = {"L4-L5": (rng.normal(size=(4, REGION_DIM)).astype(np.float32),)}
    return RegionCache(dict.fromkeys(gradings(), rows), segmentation_checksum="abc")


@pytest.fixture
def made_up_patients(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put made-up gradings, slices and regions where a run reads the real ones."""
    file = slice_file(tmp_path)
    monkeypatch.setattr(tuning, "load_gradings", lambda _: gradings())
    monkeypatch.setattr(tuning, "slices_by_patient", lambda _: dict.fromkeys(gradings(), (file,)))
    monkeypatch.setattr(tuning, "load_region_cache", lambda _: region_cache())


def table_of(name: str, folder: Path, home: Path, *, vision: str = "", **changes: Any) -> dict[str, Any]:
    """Write a small preset and return the table of a run that tunes it."""
    preset = asdict(small_preset(name, tower=folder.parent / "tower", vision=vision))
    del preset["home"]
    (home / f"{name}.yaml").write_text(yaml.safe_dump(preset), encoding="utf-8")
    table = {
        "stage": "adapt-hub", "preset": str(home / f"{name}.yaml"), "model": str(folder), "protocol": "lumbar",
        "regions": "", "out": str(home / "run"), "device": "cpu", "batch_size": 2, "accumulate": 1,
        "gradient_checkpointing": False, "write_merged": False, "held_out_fold": 0,
        "mix": {"real": 1.0, "structured": 0.5, "with_pictures": 1.0}, "loop": LOOP,
    }  # fmt: skip
    return {**table, **changes}


def run(table: dict[str, Any], **options: Any) -> Path:
    return tune(parse_tune(table, where="run.yaml"), **options)


def logits_of(model: Any, talker: Talker, source: HubSource) -> torch.Tensor:
    batch = draw_batch(source, np.random.default_rng(1), 1)
    encoded = talker.encode(batch.talks, [item.to_image() for item in batch.pictures])
    with torch.inference_mode():
        logits: torch.Tensor = model(**to_model(encoded, model)).logits
    return logits


@pytest.mark.usefixtures("made_up_patients")
@pytest.mark.parametrize("name", [NAMES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1:])])
def test_a_run_resumed_is_a_run_unbroken(name: str, hub_folders: dict[str, Path], tmp_path: Path) -> None:
    """Two steps at once, or one and one more: the same weights; and what was learnt writes a draft."""
    regions = "" if name == "biomedclip" else "made up"
    table = table_of(name, hub_folders[name], tmp_path, regions=regions)
    whole = run(table)
    assert "held_out_loss" in (tmp_path / "run" / "log.csv").read_text(encoding="utf-8")
    halves = tmp_path / "halves"
    half_loop = {**LOOP, "steps": 1}
    run({**table, "loop": half_loop}, out=halves)
    run(table, out=halves, resume=True)
    for file in ("adapter/adapter_model.safetensors", "projector.safetensors"):
        assert (halves / file).read_bytes() == (whole.parent / file).read_bytes()
    writer = open_writer(WriterChoice(str(whole.parent)), weights_root=tmp_path, device="cpu")
    assert isinstance(writer, HubDrafter)
    assert writer.prompt_id == "run/hub-1"
    assert writer.segmentation_checksum == (None if name == "biomedclip" else "abc")
    protocol = load_protocol("lumbar")
    findings = draw_findings(np.random.default_rng(8), protocol)
    draft = writer.write_draft(findings, (), protocol, pictures=(key_slice_of(0),))
    assert draft.sections


@pytest.mark.usefixtures("made_up_patients")
@pytest.mark.parametrize("name", SEEING)
def test_merged_is_unmerged(name: str, hub_folders: dict[str, Path], lumbar: Protocol, tmp_path: Path) -> None:
    """The vision part is tuned too, so the whole model is written merged, as a server opens it."""
    vision = {"qwen-vl": r".*visual\.blocks\..*\.(qkv|proj)"}.get(
        name, r".*(vision_model|vision_tower)\..*\.(q_proj|v_proj)"
    )
    table = table_of(name, hub_folders[name], tmp_path, vision=vision, loop={**LOOP, "learning_rate": 0.05})
    preset = load_hub_config(run(table))
    folder = hub_folders[name]
    source = HubSource(
        HubMix(1.0, 1.0, 1.0), preset, load_instructions("hub-1"), lumbar, gradings(),
        {patient: (slice_file(tmp_path),) for patient in gradings()}, region_cache(),
        uses_regions=False, sees=True,
    )  # fmt: skip
    from peft import PeftModel

    bare, talker = open_model(preset, folder, read_folder(folder), device=CPU, name=name)
    before = logits_of(bare.eval(), talker, source)
    unmerged = PeftModel.from_pretrained(bare, str(tmp_path / "run" / "adapter")).eval()
    tuned = [key for key in unmerged.state_dict() if "lora_B" in key]
    assert any("vis" in key for key in tuned)
    assert any("vis" not in key for key in tuned)
    beside = logits_of(unmerged, talker, source)
    assert (beside - before).abs().max() > 1e-3
    fresh, _ = open_model(preset, folder, read_folder(folder), device=CPU, name=name)
    merged = merge(fresh, tmp_path / "run" / "adapter").eval()
    assert (logits_of(merged, talker, source) - beside).abs().max() < 1e-4
    served = replace(preset, adapter="")
    reopened = load_hub(served, tmp_path / "run" / MERGED, device=CPU, name=name)
    assert (logits_of(reopened.model, reopened.talker, source) - beside).abs().max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_the_language_model_alone_is_tuned_by_default(name: str, hub_folders: dict[str, Path]) -> None:
    from peft import LoraConfig, get_peft_model

    preset = small_preset(name, tower=hub_folders[name].parent / "tower")
    folder = hub_folders[name]
    model, _ = open_model(preset, folder, read_folder(folder), device=CPU, name=name)
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=preset.lora.targets))
    tuned = {key.split(".layers.")[0] for key in adapted.state_dict() if "lora_A" in key}
    assert len(tuned) == 1
    assert "vis" not in tuned.pop()
    kinds = {key.split(".")[-4] for key in adapted.state_dict() if "lora_A" in key}
    assert kinds == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.mark.usefixtures("made_up_patients")
def test_accumulation_and_checkpointing_change_no_meaning(hub_folders: dict[str, Path], tmp_path: Path) -> None:
    """Activations computed twice give the same adapter; two passes a step train too."""
    table = table_of("smolvlm", hub_folders["smolvlm"], tmp_path, loop={**LOOP, "steps": 1})
    plain = run(table).parent / "adapter" / "adapter_model.safetensors"
    again = run({**table, "gradient_checkpointing": True}, out=tmp_path / "again").parent
    from safetensors.torch import load_file

    first, second = load_file(plain), load_file(again / "adapter" / "adapter_model.safetensors")
    for key, item in first.items():
        torch.testing.assert_close(item, second[key], atol=1e-5, rtol=1e-4)
    both = run({**table, "accumulate": 2}, out=tmp_path / "both").parent
    third = load_file(both / "adapter" / "adapter_model.safetensors")
    assert any(not torch.equal(item, third[key]) for key, item in first.items())


def test_batches_show_one_patient_and_hide_values(lumbar: Protocol, tmp_path: Path) -> None:
    source = HubSource(
        HubMix(0.5, 0.5, 0.5), small_preset("smolvlm"), load_instructions("hub-1"), lumbar, gradings(),
        {patient: (slice_file(tmp_path),) for patient in gradings()}, region_cache(),
        uses_regions=True, sees=True,
    )  # fmt: skip
    drawn = [draw_batch(source, np.random.default_rng(seed), 3) for seed in range(30)]
    assert {len(batch.pictures) for batch in drawn} == {0, 1}
    assert any(item for batch in drawn for item in batch.embeddings)
    for batch in drawn:
        for turns, answer in zip(batch.talks, batch.answers, strict=True):
            parts = turns[-1]["content"]
            assert sum(part["type"] == "image" for part in parts) == len(batch.pictures)
            assert parts[-1]["text"].startswith("<spare>" * 3 + "Facts:")
            assert answer
    again = draw_batch(source, np.random.default_rng(3), 3)
    assert again.answers == drawn[3].answers


def test_wrong_runs_are_refused(hub_folders: dict[str, Path], tmp_path: Path) -> None:
    table = table_of("smolvlm", hub_folders["smolvlm"], tmp_path)
    with pytest.raises(ConfigError, match=r"run\.yaml, mix, real: expected a share from 0 to 1, got 3"):
        run({**table, "mix": {**table["mix"], "real": 3.0}})
    with pytest.raises(ConfigError, match="unknown or missing keys: speed"):
        run({**table, "speed": 1})
    preset = replace(load_hub_config(Path(table["preset"])), adapter="absent")
    with pytest.raises(WeightsError, match="expected 'absent' beside its preset"):
        load_hub(preset, hub_folders["smolvlm"], device=CPU, name="smolvlm")


@pytest.mark.parametrize("name", ["smolvlm", "llava_med", "medgemma", "qwen_vl", "biomedclip"])
def test_shipped_runs_are_whole(name: str) -> None:
    table = yaml.safe_load(preset_file(f"adapt_{name}").read_text(encoding="utf-8"))
    config = parse_tune(table, where=name)
    assert preset_file(config.preset).stem == name
    assert config.held_out_fold == 0


@pytest.mark.usefixtures("made_up_patients")
def test_train_opens_the_stage(hub_folders: dict[str, Path], tmp_path: Path) -> None:
    table = table_of("smolvlm", hub_folders["smolvlm"], tmp_path, loop={**LOOP, "steps": 1})
    file = tmp_path / "adapt.yaml"
    file.write_text(yaml.safe_dump(table), encoding="utf-8")
    assert train(file, out=tmp_path / "there") == tmp_path / "there" / PRESET
