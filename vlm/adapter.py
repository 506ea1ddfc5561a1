"""Low-rank adapters: attached with peft for training, merged by plain arithmetic for service.

The service merges at load: ``W + alpha / rank * B @ A``. That is exactly what peft's own merge does (tested
against it), without the seconds that importing peft takes. Adapters are stored in peft's own layout
(``adapter_config.json`` and ``adapter_model.safetensors``), so that other tools can open them.
"""

import json
import logging
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from runtime.errors import WeightsError
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from vlm.config import AdapterConfig

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_logger = logging.getLogger(__name__)


def attach_adapter(decoder: nn.Module, config: AdapterConfig) -> nn.Module:
    """Freeze a decoder and put trainable low-rank updates on it.

    Args:
        decoder: A causal language model of transformers.
        config: Rank, scale, dropout and target layers.

    Returns:
        The peft model around the decoder; only the updates ask for gradients.
    """
    allow_torchvision_on_cpu()
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
        bias="none",
        task_type="CAUSAL_LM",
    )
    adapted: nn.Module = get_peft_model(decoder, lora)
    return adapted


def save_adapter(adapted: nn.Module, folder: Path, *, dtype: torch.dtype) -> None:
    """Write the updates of a peft model in peft's layout.

    Args:
        adapted: What ``attach_adapter`` returned.
        folder: Created when missing.
        dtype: How the numbers are stored.

    Raises:
        TypeError: If the model carries no adapter of peft.
    """
    allow_torchvision_on_cpu()
    from peft import PeftModel

    if not isinstance(adapted, PeftModel):
        raise TypeError(f"adapter: expected a peft model, got {type(adapted).__name__}")
    adapted.save_pretrained(str(folder), safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)  # peft's empty model card; ours lies beside the folder
    state = {name: value.to(dtype).contiguous() for name, value in load_file(folder / WEIGHTS_FILE).items()}
    save_file(state, folder / WEIGHTS_FILE, metadata={"format": "pt"})


@torch.no_grad()
def merge_adapter(decoder: nn.Module, folder: Path) -> None:
    """Add a stored adapter's updates to a decoder's weights, in float32.

    Raises:
        WeightsError: If a file is missing, or an update fits no weight of the decoder.
    """
    settings = _read_settings(folder)
    scale = float(settings["lora_alpha"]) / float(settings["r"])
    updates = load_file(folder / WEIGHTS_FILE)
    weights = dict(decoder.named_parameters())
    merged = 0
    for name, factor_a in updates.items():
        if not name.endswith("lora_A.weight"):
            continue
        target = name.removeprefix(_PREFIX).replace("lora_A.weight", "weight")
        factor_b = updates.get(name.replace("lora_A", "lora_B"))
        if target not in weights or factor_b is None:
            raise WeightsError(f"adapter in {folder.name}: {name} fits no weight of the decoder")
        weights[target].add_(_update(factor_a, factor_b, scale).to(weights[target]))
        merged += 1
    _logger.debug("merged %d low-rank updates", merged)


def _update(factor_a: Tensor, factor_b: Tensor, scale: float) -> Tensor:
    return (factor_b.float() @ factor_a.float()) * scale


def _read_settings(folder: Path) -> dict[str, Any]:
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise WeightsError(f"adapter: expected {name} in {folder.name}, found nothing")
    settings: dict[str, Any] = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    return settings
