"""The adapter: frozen base, untouched embeddings, and a merge that equals peft's."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from runtime.errors import WeightsError
from vlm.adapter import attach_adapter, merge_adapter, save_adapter
from vlm.build import LoadedWriter, build_decoder
from vlm.config import VlmConfig
from vlm.tokenizer import ReportTokenizer


def adapted_decoder(tokenizer: ReportTokenizer, config: VlmConfig):
    """Return a peft model whose update is not zero, and its base weights."""
    torch.manual_seed(5)
    base = build_decoder(config, tokenizer)
    weights = {name: value.clone() for name, value in base.state_dict().items()}
    adapted = attach_adapter(base, config.adapter)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0.0, 0.3)
    return adapted.eval(), weights


def fresh_decoder(
    tokenizer: ReportTokenizer, config: VlmConfig, weights: dict[str, torch.Tensor]
) -> torch.nn.Module:
    decoder = build_decoder(config, tokenizer)
    decoder.load_state_dict(weights)
    return decoder.eval()


def test_only_the_updates_are_trained(tokenizer: ReportTokenizer, tiny_config: VlmConfig) -> None:
    adapted, _ = adapted_decoder(tokenizer, tiny_config)
    trained = [name for name, parameter in adapted.named_parameters() if parameter.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    assert not any("embed_tokens" in name or "lm_head" in name for name in trained)
    layers, targets = tiny_config.decoder.layers, len(tiny_config.adapter.targets)
    assert len(trained) == 2 * layers * targets


def test_our_merge_equals_the_unmerged_adapter_and_pefts_own_merge(
    tokenizer: ReportTokenizer, tiny_config: VlmConfig, tmp_path: Path
) -> None:
    adapted, weights = adapted_decoder(tokenizer, tiny_config)
    save_adapter(adapted, tmp_path, dtype=torch.float32)
    ours = fresh_decoder(tokenizer, tiny_config, weights)
    merge_adapter(ours, tmp_path)
    ids = torch.randint(14, len(tokenizer), (2, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        plain = fresh_decoder(tokenizer, tiny_config, weights)(input_ids=ids).logits
        unmerged = adapted(input_ids=ids).logits
        merged = ours(input_ids=ids).logits
        by_peft = adapted.merge_and_unload()(input_ids=ids).logits
    assert (merged - unmerged).abs().max() < 1e-4
    assert (merged - by_peft).abs().max() < 1e-5
    assert (plain - unmerged).abs().max() > 1e-2


def test_a_stored_adapter_opens_in_peft(
    tokenizer: ReportTokenizer, tiny_config: VlmConfig, tmp_path: Path
) -> None:
    from peft import PeftModel

    adapted, weights = adapted_decoder(tokenizer, tiny_config)
    save_adapter(adapted, tmp_path, dtype=torch.float32)
    again = PeftModel.from_pretrained(fresh_decoder(tokenizer, tiny_config, weights), str(tmp_path)).eval()
    ids = torch.arange(20, 40)[None]
    with torch.no_grad():
        assert torch.allclose(again(input_ids=ids).logits, adapted(input_ids=ids).logits, atol=1e-6)


def test_it_is_stored_in_half_precision_without_pefts_card(
    tokenizer: ReportTokenizer, tiny_config: VlmConfig, tmp_path: Path
) -> None:
    adapted, _ = adapted_decoder(tokenizer, tiny_config)
    save_adapter(adapted, tmp_path, dtype=torch.float16)
    assert {item.dtype for item in load_file(tmp_path / "adapter_model.safetensors").values()} == {torch.float16}
    assert not (tmp_path / "README.md").exists()


def test_wrong_adapters_are_refused(
    tiny: LoadedWriter, tokenizer: ReportTokenizer, tiny_config: VlmConfig, tmp_path: Path
) -> None:
    with pytest.raises(TypeError, match="expected a peft model"):
        save_adapter(tiny.writer.decoder, tmp_path, dtype=torch.float32)
    with pytest.raises(WeightsError, match=r"expected adapter_config\.json"):
        merge_adapter(tiny.writer.decoder, tmp_path / "nowhere")
    adapted, _ = adapted_decoder(tokenizer, tiny_config)
    save_adapter(adapted, tmp_path / "good", dtype=torch.float32)
    with pytest.raises(WeightsError, match="fits no weight of the decoder"):
        merge_adapter(torch.nn.Linear(3, 3), tmp_path / "good")
    settings = json.loads((tmp_path / "good" / "adapter_config.json").read_text(encoding="utf-8"))
    assert settings["r"] == tiny_config.adapter.rank
    assert settings["lora_alpha"] == tiny_config.adapter.alpha
