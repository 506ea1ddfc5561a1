"""Patch encoders of the grading network: one crop in, one feature out. Which one is built is a word of its config.

Shapes: N crops of one or a few neighbouring slices of H rows and W columns; C channels of a feature map; D width
of the feature.

Sources: MobileNetV3, Howard et al., ICCV 2019; EfficientNet, Tan and Le, ICML 2019 (both from timm, Apache-2.0, no
pre-trained weights); gated attention pooling, Ilse et al., ICML 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from runtime.torchvision_cpu import allow_torchvision_on_cpu

_PLACES = (4, 6)
"""Rows and columns for which positions are learned (a usual crop at stride 16); other sizes are resampled."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a skip; halves the grid when asked."""

    def __init__(self, width_in: int, width: int, *, halve: bool) -> None:
        super().__init__()
        stride = 2 if halve else 1
        self.first = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.skip = nn.Conv2d(width_in, width, 1, stride=stride, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, width, H', W')."""
        hidden = functional.relu(self.first_norm(self.first(images)))
        hidden = self.second_norm(self.second(hidden))
        return functional.relu(hidden + self.skip(images))


class ConvolutionalTrunk(nn.Module):
    """A stem of stride 2 and residual blocks, each halving the grid.

    Args:
        widths: Channels after the stem and after each block.
        slices: C of the crops.
    """

    def __init__(self, widths: Sequence[int], slices: int = 1) -> None:
        super().__init__()
        self.stem = nn.Conv2d(slices, widths[0], 5, stride=2, padding=2, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        self.blocks = nn.Sequential(*(ResidualBlock(*pair, halve=True) for pair in pairwise(widths)))
        self.channels = widths[-1]

    def forward(self, crops: Tensor) -> Tensor:
        """Map (N, slices, H, W) to (N, C, h, w)."""
        features: Tensor = self.blocks(functional.relu(self.stem_norm(self.stem(crops))))
        return features


class GridPooling(nn.Module):
    """Keeps coarse places (upper or lower endplate, front or back): a small grid, flattened.

    Args:
        channels: C of the feature map.
        width: D of the feature.
        grid: Rows and columns that are kept.
        dropout: Of the grid.
    """

    def __init__(self, channels: int, width: int, *, grid: tuple[int, int] = (4, 6), dropout: float = 0.2) -> None:
        super().__init__()
        self.grid = nn.AdaptiveAvgPool2d(grid)
        self.squeeze = nn.Conv2d(channels, 32, 1)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(32 * grid[0] * grid[1], width)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, h, w) to (N, D)."""
        hidden = functional.relu(self.squeeze(self.grid(features)))
        pooled: Tensor = self.project(self.dropout(hidden.flatten(1)))
        return pooled


class GatedAttentionPooling(nn.Module):
    """A weighted mean of the places of a feature map; each place also knows where it lies.

    Args:
        channels: C of the feature map.
        width: D of the feature.
        dropout: Of the mean.
    """

    def __init__(self, channels: int, width: int, *, dropout: float = 0.2) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, channels, *_PLACES))
        nn.init.normal_(self.position, std=0.02)
        self.tanh, self.gate, self.score = nn.Linear(channels, 64), nn.Linear(channels, 64), nn.Linear(64, 1)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(channels, width)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, h, w) to (N, D)."""
        size = (features.shape[2], features.shape[3])
        there = functional.interpolate(self.position, size, mode="bilinear", align_corners=False)
        places = (features + there).flatten(2).transpose(1, 2)
        scores = self.score(torch.tanh(self.tanh(places)) * torch.sigmoid(self.gate(places)))
        mean = (scores.softmax(dim=1) * places).sum(dim=1)
        pooled: Tensor = self.project(self.dropout(mean))
        return pooled


class PlaceTransformer(nn.Module):
    """Lets the places of a feature map see each other: the Transformer half of the hybrid."""

    def __init__(self, channels: int, *, layers: int = 2, dropout: float = 0.2) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, channels, *_PLACES))
        nn.init.normal_(self.position, std=0.02)
        layer = nn.TransformerEncoderLayer(
            channels, 4, 2 * channels, dropout=dropout, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(channels), enable_nested_tensor=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, h, w) to the same."""
        size = (features.shape[2], features.shape[3])
        there = functional.interpolate(self.position, size, mode="bilinear", align_corners=False)
        mixed: Tensor = self.layers((features + there).flatten(2).transpose(1, 2))
        return mixed.transpose(1, 2).reshape(features.shape)


class TimmTrunk(nn.Module):
    """The first stages of a timm model, to stride 16: crops are small, and a grid of stride 32 tells nothing.

    Args:
        name: Of the timm model.
        slices: C of the crops.
    """

    def __init__(self, name: str, slices: int = 1) -> None:
        super().__init__()
        allow_torchvision_on_cpu()
        import timm

        model: Any = timm.create_model(
            name, pretrained=False, in_chans=slices, features_only=True, out_indices=(3,)
        )
        self.channels = int(model.feature_info.channels()[-1])
        last = int(model.feature_info.module_name()[-1].rpartition(".")[2])
        self.model = model
        model.blocks = model.blocks[: last + 1]  # timm keeps the deeper stages, which nobody would train

    def forward(self, crops: Tensor) -> Tensor:
        """Map (N, slices, H, W) to (N, C, H / 16, W / 16)."""
        features: Tensor = self.model(crops)[-1]
        return features


class PatchEncoder(nn.Module):
    """A trunk and a pooling: (N, slices, H, W) to (N, D)."""

    def __init__(self, trunk: nn.Module, pooling: nn.Module) -> None:
        super().__init__()
        self.trunk, self.pooling = trunk, pooling

    def forward(self, crops: Tensor) -> Tensor:
        """Encode crops."""
        features: Tensor = self.pooling(self.trunk(crops))
        return features


Build = Callable[[Sequence[int], int, float, int], PatchEncoder]
"""(channels after the stem and each halving, D, dropout, slices of a crop) -> encoder."""


def _small_cnn(widths: Sequence[int], width: int, dropout: float, slices: int) -> PatchEncoder:
    trunk = ConvolutionalTrunk(widths, slices)
    return PatchEncoder(trunk, GridPooling(trunk.channels, width, dropout=dropout))


def _hybrid(widths: Sequence[int], width: int, dropout: float, slices: int) -> PatchEncoder:
    trunk = ConvolutionalTrunk(widths, slices)
    mixer = PlaceTransformer(trunk.channels, dropout=dropout)
    pooling = GatedAttentionPooling(trunk.channels, width, dropout=dropout)
    return PatchEncoder(nn.Sequential(trunk, mixer), pooling)


def _timm(name: str) -> Build:
    def build(widths: Sequence[int], width: int, dropout: float, slices: int) -> PatchEncoder:
        trunk = TimmTrunk(name, slices)
        return PatchEncoder(trunk, GatedAttentionPooling(trunk.channels, width, dropout=dropout))

    return build


ENCODERS: dict[str, Build] = {
    "small_cnn": _small_cnn,
    "mobilenet_v3": _timm("mobilenetv3_small_100"),
    "efficientnet": _timm("efficientnet_b0"),
    "hybrid": _hybrid,
}
"""Word of the configuration -> builder; ``widths`` are those of the trunks of our own."""
