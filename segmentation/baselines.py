"""The networks ours is measured against: U-Nets without prompts, behind the interface of ``PromptSegmenter``.

``UNet`` on ``Encoder`` and ``Decoder`` is the textbook's; on ``Encoder`` and ``GatedDecoder`` it is the Attention
U-Net (additive gates on the skips; no deep supervision). Both have one plain convolution per mask and level map
where ours has prompts, patch mixer and cross-attention; the halves are the same.

Shapes as in ``segmentation.model``. Prompts are taken for their number and width: what they say has no effect.

Source: Ronneberger et al., MICCAI 2015 (U-Net); Oktay et al., MIDL 2018, and Schlemper et al., Med Image Anal 53
(2019) (attention gates).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from segmentation.backbone import Decoder, Encoder
from segmentation.model import LEVEL_PLACE, STRIDE, NetworkOutput

_LEVEL_BIAS = -4.0  # a level map is nearly everywhere near zero


class AttentionGate(nn.Module):
    """Additive attention: coarse features say where the skip is worth listening to.

    alpha = sigmoid(psi(relu(W_x x + W_g g))), computed on the coarse grid and brought to the skip's by bilinear
    interpolation; the skip leaves as alpha x. Oktay et al., equations 1 and 2, on the grid of g (their section 2).

    Args:
        skip: Channels of the skip x.
        coarse: Channels of the gating signal g, at half the skip's resolution.
    """

    def __init__(self, skip: int, coarse: int) -> None:
        super().__init__()
        inner = max(8, skip // 2)
        self.from_skip = nn.Conv2d(skip, inner, 2, stride=2, bias=False)
        self.from_coarse = nn.Conv2d(coarse, inner, 1)
        self.to_gate = nn.Conv2d(inner, 1, 1)

    def forward(self, skip: Tensor, coarse: Tensor) -> Tensor:
        """Gate a (B, C, 2h, 2w) skip by (B, C', h, w) coarse features; the same shape as the skip."""
        return skip * self.alpha(skip, coarse)

    def alpha(self, skip: Tensor, coarse: Tensor) -> Tensor:
        """Return the gate, (B, 1, 2h, 2w), 0 to 1."""
        gate = self.to_gate(functional.relu(self.from_skip(skip) + self.from_coarse(coarse))).sigmoid()
        return functional.interpolate(gate, size=skip.shape[-2:], mode="bilinear", align_corners=False)


class GatedDecoder(Decoder):
    """The decoder with an attention gate on every skip but the finest.

    The finest skip stays open, as in the authors' code: its features are too local to be told where to look.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__(widths)
        steps = list(pairwise(widths))[::-1]
        self.gates = nn.ModuleList(AttentionGate(fine, coarse) for fine, coarse in steps[:-1])

    def pass_skip(self, place: int, skip: Tensor, coarse: Tensor) -> Tensor:
        """Return the gated skip; the finest, which has no gate, as it is."""
        gated: Tensor = self.gates[place](skip, coarse) if place < len(self.gates) else skip
        return gated


class UNet(nn.Module):
    """Encoder, decoder, and one plain convolution per mask and level map.

    Args:
        encoder: Features at strides 1 to 16.
        decoder: Features back to stride 1; ``GatedDecoder`` makes it an Attention U-Net.
        widths: Channels of both.
        structures: S, the number of masks.
        levels: L, the number of level maps.
    """

    def __init__(
        self, encoder: Encoder, decoder: Decoder, *, widths: tuple[int, ...], structures: int, levels: int
    ) -> None:
        super().__init__()
        self.structures, self.levels = structures, levels
        self.encoder, self.decoder = encoder, decoder
        self.to_masks = nn.Conv2d(widths[0], structures, 1)
        self.to_levels = _level_head(widths[LEVEL_PLACE], levels)

    def forward(self, images: Tensor, prompts: Tensor, structures: int | None = None) -> NetworkOutput:
        """Segment images.

        Args:
            images: (B, N, H, W) float32, grey values scaled to -1 to 1, H and W multiples of 16.
            prompts: (P, D), for their shape only.
            structures: How many of the prompts are structures; None takes the network's own number.

        Raises:
            ValueError: If other prompts are asked for than the network has maps.
        """
        _check_prompts(prompts, structures, self.structures, self.levels)
        decoded = self.decoder(self.encoder(images))
        return _output(images, prompts, self.to_masks(decoded[0]), self.to_levels(decoded[LEVEL_PLACE]))


def _level_head(channels: int, levels: int) -> nn.Conv2d:
    head = nn.Conv2d(channels, levels, 1)
    with torch.no_grad():
        assert head.bias is not None
        head.bias.fill_(_LEVEL_BIAS)
    return head


def _check_prompts(prompts: Tensor, structures: int | None, own: int, levels: int) -> None:
    asked = own if structures is None else structures
    if asked != own or len(prompts) != own + levels:
        raise ValueError(
            f"prompts: this network has {own} masks and {levels} level maps and cannot be asked for others, "
            f"got {asked} structures of {len(prompts)} prompts"
        )


def _output(images: Tensor, prompts: Tensor, masks: Tensor, levels: Tensor) -> NetworkOutput:
    """Fill what a network without prompts does not have with zeros."""
    batch, (rows, columns) = len(images), images.shape[-2:]
    return NetworkOutput(
        mask_logits=masks,
        level_logits=levels,
        prompt_tokens=images.new_zeros(batch, *prompts.shape),
        attention=images.new_zeros(batch, len(prompts), rows // STRIDE, columns // STRIDE),
    )
