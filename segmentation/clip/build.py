"""Configuration to an open_clip ``CustomTextCLIP``: a small ModifiedResNet beside the tower of the prompts.

On disk the visual side and the scale are one file, the text tower another, which the training of the segmentation
network reads too. Of a tower from outside only the projection is stored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file, save_file
from torch import Tensor

from runtime.errors import WeightsError
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from segmentation.clip.config import ClipConfig
from segmentation.clip.crops import SIDE_PX
from segmentation.text_hub import HubTextTower, load_hub_tower
from segmentation.text_tower import END, PAD, tokenize, vocabulary

if TYPE_CHECKING:
    from open_clip.model import CustomTextCLIP

MODEL, TEXT_TOWER = "model.safetensors", "text_tower.safetensors"
_TEXT, _OUTSIDE = "text.", "encoder."
_FIRST_SCALE = 10.0  # SigLIP (Zhai et al. 2023, arXiv:2303.15343) begins at a temperature of 10


def build_clip(config: ClipConfig) -> CustomTextCLIP:
    """Build the model with random weights.

    ``.text`` has the state of ``text_tower.build_text_tower``, or is a ``text_hub.HubTextTower`` with its own
    weights and a random projection.
    """
    allow_torchvision_on_cpu()
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg, CustomTextCLIP

    layers = config.visual_layers
    model = CustomTextCLIP(
        embed_dim=config.embed_dim,
        vision_cfg=CLIPVisionCfg(
            layers=(layers[0], layers[1], layers[2], layers[3]),
            width=config.visual_width,
            head_width=config.visual_head_width,
            image_size=SIDE_PX,
        ),
        text_cfg=CLIPTextCfg(
            context_length=config.context_length,
            vocab_size=len(vocabulary()),
            width=config.text_width,
            heads=config.text_heads,
            layers=config.text_layers,
            pad_id=vocabulary()[PAD],
            eos_id=vocabulary()[END],
        ),
        init_logit_scale=math.log(_FIRST_SCALE),
        init_logit_bias=0.0,
    )
    if config.text_source:
        model.text = load_hub_tower(config.text_source, config.embed_dim)
    return model


def make_tokens(model: CustomTextCLIP, phrases: Sequence[str]) -> Tensor:
    """Turn phrases into the tokens of the model's own text tower.

    Raises:
        ValueError: If a phrase has too many words.
    """
    if isinstance(model.text, HubTextTower):
        return model.text.tokenize(phrases)
    return tokenize(phrases, int(model.context_length))


def save_clip(model: CustomTextCLIP, folder: Path) -> None:
    """Write ``model.safetensors`` and ``text_tower.safetensors``."""
    state = {key: value.detach().contiguous() for key, value in model.state_dict().items()}
    rest = {key: value for key, value in state.items() if not key.startswith(_TEXT)}
    text = {key.removeprefix(_TEXT): value for key, value in state.items() if key.startswith(_TEXT)}
    save_file(rest, folder / MODEL)
    save_file({key: value for key, value in text.items() if not key.startswith(_OUTSIDE)}, folder / TEXT_TOWER)


def load_clip(model: CustomTextCLIP, folder: Path) -> None:
    """Load what ``save_clip`` wrote.

    Raises:
        WeightsError: If a file is missing or does not fit.
    """
    load_visual(model, folder / MODEL)
    load_text(model, folder / TEXT_TOWER)


def load_text(model: CustomTextCLIP, file: Path) -> None:
    """Load the text tower, or the projection of one from outside.

    Raises:
        WeightsError: If the file is missing or does not fit.
    """
    kept = {key: value for key, value in model.text.state_dict().items() if key.startswith(_OUTSIDE)}
    try:
        model.text.load_state_dict(kept | _read(file))
    except RuntimeError as error:
        raise WeightsError(f"text tower: {file.name} does not fit the model: {error}"[:400]) from error


def load_visual(model: CustomTextCLIP, file: Path) -> None:
    """Load all but the text tower.

    Raises:
        WeightsError: If the file is missing or does not fit.
    """
    kept = {key: value for key, value in model.state_dict().items() if key.startswith(_TEXT)}
    try:
        model.load_state_dict(kept | _read(file))
    except RuntimeError as error:
        raise WeightsError(f"visual tower: {file.name} does not fit the model: {error}"[:400]) from error


def _read(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise WeightsError(f"region-text model: expected {file.name} at {file}, found nothing; train it first")
    return load_file(file)
