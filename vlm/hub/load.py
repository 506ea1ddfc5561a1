"""From a model folder to a loaded model: class and data type checked, memory checked, adapter merged.

Adapters are always merged here. Servers such as vLLM leave updates on the vision part out; a merged model has none
to leave out, and what is tested is what is served.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from runtime.errors import ConfigError, WeightsError
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from vlm.hub.config import SEES, HubConfig
from vlm.hub.soft import SoftTokens, build_soft_tokens, load_soft_tokens
from vlm.hub.source import FolderSum, combine, read_folder
from vlm.hub.talk import Talker

_GIB = 2.0**30
_ROOM = 1.2  # activations and cache of a batch of slots, beside the weights; own choice
_BYTES = {"float32": 4, "bfloat16": 2}


@dataclass(frozen=True)
class LoadedHub:
    """A model in evaluation mode.

    Attributes:
        model: Class of transformers, adapter merged.
        talker: Turns conversations into its inputs, and its tokens into text.
        soft: Tokens from embeddings; None where no projector is configured.
        config: The preset.
        device: Where it computes.
        checksum: Over the model folder, adapter and projector.
    """

    model: Any
    talker: Talker
    soft: SoftTokens | None
    config: HubConfig
    device: torch.device
    checksum: str


def load_hub(config: HubConfig, folder: Path, *, device: torch.device, name: str) -> LoadedHub:
    """Load a preset for writing.

    Raises:
        ConfigError: If the folder holds another class of model, or the device has too little memory.
        WeightsError: If files are missing or do not fit.
    """
    about = read_folder(folder)
    model, talker = open_model(config, folder, about, device=device, name=name)
    sums = [about.checksum]
    if config.adapter:
        adapter = _existing(config.home / config.adapter, name)
        model = merge(model, adapter)
        sums.append(read_folder(adapter).checksum)
    soft = None
    if config.projector:
        file = _existing(config.home / config.projector, name)
        soft = load_soft_tokens(build_soft_tokens(config, model, talker), file).to(device).eval()
        sums.append(read_folder(file.parent).checksum)
    elif config.soft is not None and config.soft.source == "image_tower":
        raise ConfigError(
            f"writer {name}: its image tower needs a trained projector, and the preset names none; tune it first "
            f"(spinescribe train vlm --config configs/vlm/adapt_{name.replace('-', '_')}.yaml) and read with the "
            "preset.yaml of that run"
        )
    return LoadedHub(model.eval(), talker, soft, config, device, combine(*sums))


def open_model(
    config: HubConfig, folder: Path, about: FolderSum, *, device: torch.device, name: str
) -> tuple[Any, Talker]:
    """Return the bare model of a folder and its talker.

    Raises:
        ConfigError: If the folder holds another class of model, or the device has too little memory.
        WeightsError: If transformers cannot load it.
    """
    allow_torchvision_on_cpu()
    import transformers

    found = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    if found != config.model_type:
        raise ConfigError(f"writer {name}: expected a model of type {config.model_type!r}, got {found!r}")
    if device.type not in config.dtype:
        raise ConfigError(f"writer {name}: expected device {' or '.join(config.dtype)}, got {device.type!r}")
    dtype = config.dtype[device.type]
    _check_memory(about.parameters * _BYTES[dtype] * _ROOM / _GIB, device, dtype, name)
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    sees = config.kind == SEES
    opens = transformers.AutoModelForImageTextToText if sees else transformers.AutoModelForCausalLM
    reads = transformers.AutoProcessor if sees else transformers.AutoTokenizer
    try:
        model: Any = opens.from_pretrained(
            folder, dtype=getattr(torch, dtype), local_files_only=True, use_safetensors=True
        )
        processor = reads.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise WeightsError(f"writer {name}: the model in {folder.name!r} cannot be loaded: {error}") from error
    return model.to(device), Talker(processor, config)


def merge(model: Any, adapter: Path) -> Any:
    """Return a model with an adapter's updates added to its weights.

    Raises:
        WeightsError: If the adapter does not fit the model.
    """
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except (OSError, ValueError, RuntimeError) as error:
        raise WeightsError(f"adapter in {adapter.name!r} does not fit the model: {error}") from error


def _existing(path: Path, name: str) -> Path:
    if not path.exists():
        raise WeightsError(f"writer {name}: expected {path.name!r} beside its preset, found nothing")
    return path


def _check_memory(needed_gib: float, device: torch.device, dtype: str, name: str) -> None:
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0] / _GIB
    else:
        free = psutil.virtual_memory().available / _GIB
    if needed_gib > free:
        raise ConfigError(
            f"writer {name}: needs about {needed_gib:.1f} GiB in {dtype} on {device.type}, {free:.1f} GiB are "
            "free; take a larger device or a smaller preset (docs/writers.md)"
        )
