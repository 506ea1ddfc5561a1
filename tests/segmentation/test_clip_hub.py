"""Text towers from outside: a tiny random checkpoint in BiomedCLIP's layout, read by us and by open_clip."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.errors import ConfigError, WeightsError
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from segmentation.clip.build import build_clip, load_clip, make_tokens, save_clip
from segmentation.clip.config import ClipConfig
from segmentation.clip.statements import RegionFacts, statements
from segmentation.text_hub import HubPrompts, load_hub_tower
from segmentation.training.contrastive import ContrastiveTrainer
from segmentation.training.contrastive_config import ContrastiveRun, ContrastiveTraining, PhantomDraw
from segmentation.training.contrastive_draws import RegionPool
from segmentation.training.contrastive_regions import PatientSlices, Region, truth_table

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "inter", "##vertebral", "disc", "spinal", "canal", "no"]
BERT = {
    "model_type": "bert",
    "vocab_size": len(WORDS),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
PHRASES = ["intervertebral disc", "spinal canal", "no disc"]


@pytest.fixture(scope="module")
def biomedclip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as the hub has it, with a text model far smaller than BERT-base."""
    allow_torchvision_on_cpu()
    from open_clip.model import CLIPVisionCfg, CustomTextCLIP
    from transformers import BertTokenizer

    folder = tmp_path_factory.mktemp("biomedclip")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(BERT), encoding="utf-8")
    text = {
        "hf_model_name": str(folder),  # the hub's own names a repository; open_clip needs one that it can open
        "hf_tokenizer_name": str(folder),
        "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler",
        "context_length": 20,
    }
    vision = {"layers": 1, "width": 16, "head_width": 8, "patch_size": 16, "image_size": 32}
    values = {"model_cfg": {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}, "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(values), encoding="utf-8")
    torch.manual_seed(7)
    model = CustomTextCLIP(24, CLIPVisionCfg(**vision), text | {"hf_model_pretrained": False})
    state = dict(model.state_dict())
    state["text.transformer.embeddings.position_ids"] = torch.arange(64)[None]  # as older checkpoints have
    torch.save(state, folder / "open_clip_pytorch_model.bin")
    return folder


def test_embeddings_are_those_of_open_clip(biomedclip: Path) -> None:
    import open_clip

    reference = open_clip.create_model(f"local-dir:{biomedclip}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{biomedclip}")
    tower = load_hub_tower(str(biomedclip), 16).eval()
    with torch.no_grad():
        expected = reference.encode_text(tokenizer(PHRASES))
    torch.testing.assert_close(tower.encode(PHRASES), expected, atol=1e-5, rtol=1e-5)
    assert tower.tokenize(PHRASES).shape == (3, 5)  # [CLS] inter ##vertebral disc [SEP]; open_clip pads to 20


def test_only_the_projection_learns(biomedclip: Path) -> None:
    tower = load_hub_tower(str(biomedclip), 16).train()
    assert not tower.encoder.training  # its dropout would make prompts differ from step to step
    tower(tower.tokenize(PHRASES)).square().sum().backward()
    learning = {name for name, parameter in tower.named_parameters() if parameter.grad is not None}
    assert learning == {"projection.weight"}
    prompts = HubPrompts(tower.encode(PHRASES), 16)
    prompts.projection.load_state_dict(tower.projection.state_dict())
    torch.testing.assert_close(prompts(), tower(tower.tokenize(PHRASES)))
    assert {name for name, _ in prompts.named_parameters()} == {"projection.weight"}


def test_the_region_text_model_takes_it(biomedclip: Path, tmp_path: Path) -> None:
    config = ClipConfig(
        visual_layers=(1, 1, 1, 1), visual_width=8, visual_head_width=32, text_source=str(biomedclip)
    )
    first = build_clip(config).eval()
    save_clip(first, tmp_path)
    second = build_clip(config).eval()
    load_clip(second, tmp_path)
    with torch.no_grad():
        expected = first.encode_text(make_tokens(first, PHRASES))
        torch.testing.assert_close(second.encode_text(make_tokens(second, PHRASES)), expected)
    assert expected.shape == (3, 128)
    assert (tmp_path / "text_tower.safetensors").stat().st_size < 20_000  # the projection alone


def test_the_preset_trains_the_projection_and_the_visual_tower(biomedclip: Path, tmp_path: Path) -> None:
    config = ClipConfig(
        visual_layers=(1, 1, 1, 1), visual_width=8, visual_head_width=32, text_source=str(biomedclip)
    )
    training = ContrastiveTraining(steps=2, regions=4, statements=12, phantoms=(PhantomDraw(),))
    image = np.random.default_rng(0).integers(0, 255, (1, 1, 64, 64)).astype(np.uint8)
    held = {"disc_bulging": frozenset({"present"})}
    facts = [RegionFacts(frozenset({"disc"}), "L4-L5", grades=held), RegionFacts(frozenset({"sacrum"}))]
    regions = [Region(0, 0, (30.0, 30.0 + n), 8.0, 0.0, fact) for n, fact in enumerate(facts)]
    pool = RegionPool("phantom", [PatientSlices("a", image)], regions, truth_table(regions, statements()))
    trainer = ContrastiveTrainer(ContrastiveRun(config, training), [pool], tmp_path / "work")
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    trainer.run_steps()
    moved = {key for key, value in trainer.averaged().state_dict().items() if not torch.equal(before[key], value)}
    assert "text.projection.weight" in moved
    assert any(key.startswith("visual.") for key in moved)
    assert not any(key.startswith("text.encoder.") for key in moved)


def test_without_a_configuration_it_is_bert_base(biomedclip: Path, tmp_path: Path) -> None:
    for name in ("open_clip_config.json", "open_clip_pytorch_model.bin", "vocab.txt"):
        (tmp_path / name).write_bytes((biomedclip / name).read_bytes())
    with pytest.raises(WeightsError, match=r"(?s)does not fit open_clip_config.json.*encoder\.layer\.2\."):
        load_hub_tower(str(tmp_path), 16)


def test_what_is_missing_is_named(biomedclip: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected a folder or hf-hub"):
        load_hub_tower("", 16)
    with pytest.raises(WeightsError, match=r"expected open_clip_config\.json"):
        load_hub_tower(str(tmp_path), 16)
    (tmp_path / "open_clip_config.json").write_text('{"model_cfg": {"embed_dim": 8, "text_cfg": {"width": 4}}}')
    with pytest.raises(ConfigError, match=r"text_cfg\.hf_model_name"):
        load_hub_tower(str(tmp_path), 16)
    for name in ("open_clip_config.json", "config.json"):
        (tmp_path / name).write_bytes((biomedclip / name).read_bytes())
    with pytest.raises(WeightsError, match=r"open_clip_model.safetensors or open_clip_pytorch_model.bin"):
        load_hub_tower(str(tmp_path), 16)
    (tmp_path / "open_clip_pytorch_model.bin").write_bytes(
        (biomedclip / "open_clip_pytorch_model.bin").read_bytes()
    )
    with pytest.raises(WeightsError, match="expected a tokenizer"):
        load_hub_tower(str(tmp_path), 16)
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    with pytest.raises(ConfigError, match="expected model_type 'bert'"):
        load_hub_tower(str(tmp_path), 16)
