"""Configuration to an open_clip ``CustomTextCLIP``: a small ModifiedResNet beside the text tower of the prompts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runtime.torchvision_cpu import allow_torchvision_on_cpu
from segmentation.clip.config import ClipConfig
from segmentation.clip.crops import SIDE_PX
from segmentation.text_tower import END, PAD, vocabulary

if TYPE_CHECKING:
    from open_clip.model import CustomTextCLIP

_FIRST_SCALE = 10.0  # SigLIP (Zhai et al. 2023, arXiv:2303.15343) begins at a temperature of 10


def build_clip(config: ClipConfig) -> CustomTextCLIP:
    """Build the model with random weights; ``.text`` has the state of ``text_tower.build_text_tower``."""
    allow_torchvision_on_cpu()
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg, CustomTextCLIP

    layers = config.visual_layers
    return CustomTextCLIP(
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
