"""An image tower of open_clip as the eye of a language model: BiomedCLIP, or any checkpoint in its layout.

Only the visual half is built and loaded. Its last layer's patch tokens (no pooling) are the embeddings that become
soft tokens; the tower stays frozen.

Source: https://huggingface.co/microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224 (open_clip_config.json).
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from runtime.errors import ConfigError, WeightsError
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from vlm.hub.soft import Embeddings

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
# Of CLIP, which open_clip takes where the folder names none. Source: open_clip constants OPENAI_DATASET_*.
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class ImageTower:
    """A frozen image tower.

    Args:
        visual: Visual half of an open_clip model.
        size: Side of its input in pixels.
        mean: Mean of each colour it was trained with.
        deviation: Standard deviation of each.
        checksum: Of the weights file.
    """

    def __init__(
        self, visual: nn.Module, *, size: int, mean: Sequence[float], deviation: Sequence[float], checksum: str
    ) -> None:
        self.visual: Any = visual.eval().requires_grad_(False)
        self.checksum = checksum
        self._size = size
        self._mean = torch.tensor(mean)[:, None, None]
        self._deviation = torch.tensor(deviation)[:, None, None]

    def to(self, device: torch.device) -> "ImageTower":
        """Move the tower to a device."""
        self.visual.to(device)
        return self

    @torch.inference_mode()
    def look(self, pictures: Sequence[Image.Image]) -> Embeddings:
        """Return the patch embeddings of pictures, each (patches, D) float32."""
        if not pictures:
            return ()
        device = next(self.visual.parameters()).device
        batch = torch.stack([self._prepare(item) for item in pictures]).to(device)
        seen = self.visual.forward_intermediates(
            batch, indices=1, normalize_intermediates=True, intermediates_only=True, output_fmt="NLC"
        )
        tokens: Tensor = seen["image_intermediates"][-1]
        return tuple(item.astype(np.float32) for item in tokens.float().cpu().numpy())

    def _prepare(self, picture: Image.Image) -> Tensor:
        """Return (3, size, size): the whole picture on a black square, so that nothing is cropped or stretched."""
        side = max(picture.size)
        square = Image.new("RGB", (side, side))
        square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
        small = square.resize((self._size, self._size), Image.Resampling.BICUBIC)
        values = torch.from_numpy(np.asarray(small, dtype=np.float32) / 255.0).permute(2, 0, 1)
        return (values - self._mean) / self._deviation


def load_tower(folder: Path) -> ImageTower:
    """Load the visual half of an open_clip checkpoint.

    Args:
        folder: Holds ``open_clip_config.json`` and one of ``WEIGHTS``.

    Raises:
        WeightsError: If a file is missing or the weights do not fit.
        ConfigError: If the configuration names no visual tower.
    """
    allow_torchvision_on_cpu()
    from open_clip import CLIP, CLIPTextCfg, CLIPVisionCfg

    weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if weights is None or not (folder / CONFIG).is_file():
        raise WeightsError(f"image tower {folder.name!r}: expected {CONFIG} and {' or '.join(WEIGHTS)}")
    values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    about = values.get("model_cfg", {})
    if "embed_dim" not in about or "vision_cfg" not in about:
        raise ConfigError(f"{CONFIG}: expected model_cfg with embed_dim and vision_cfg, got {sorted(about)!r}")
    vision = CLIPVisionCfg(**about["vision_cfg"])
    smallest = CLIPTextCfg(context_length=1, vocab_size=2, width=8, heads=1, layers=1)
    visual = CLIP(int(about["embed_dim"]), vision, smallest).visual  # the text half is thrown away
    _load_visual(visual, weights)
    constants = values.get("preprocess_cfg", {})
    size = vision.image_size
    return ImageTower(
        visual,
        size=int(size if isinstance(size, int) else size[0]),
        mean=constants.get("mean", _MEAN),
        deviation=constants.get("std", _STD),
        checksum=hashlib.sha256(weights.read_bytes()).hexdigest(),
    )


def _load_visual(visual: nn.Module, file: Path) -> None:
    if file.suffix == ".safetensors":
        state = load_file(file)
    else:
        stored: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        state = stored.get("state_dict", stored)
    own = {key.removeprefix("visual."): value for key, value in state.items() if key.startswith("visual.")}
    try:
        visual.load_state_dict(own)
    except RuntimeError as error:
        raise WeightsError(f"image tower: {file.name} does not fit {CONFIG}: {error}"[:500]) from error
