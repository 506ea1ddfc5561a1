"""The two halves of every network here, ours and the baselines: the textbook U-Net's.

Pairs of convolutions, max pooling on the way down, skips joined as channels on the way up.

Source: Ronneberger et al., MICCAI 2015; group norm for small batches: Wu and He, ECCV 2018.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvolutionPair(nn.Module):
    """Two 3x3 convolutions, each with group norm and ReLU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.GroupNorm(8, after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.GroupNorm(8, after),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``after`` channels at the same size."""
        result: Tensor = self.layers(x)
        return result


class Encoder(nn.Module):
    """Features at strides 1, 2, 4, 8 and 16.

    Args:
        widths: Channels at those strides.
        slices: N, 1 for a slice alone, 3 with its neighbours.
    """

    def __init__(self, widths: tuple[int, ...], slices: int = 1) -> None:
        super().__init__()
        self.stages = nn.ModuleList(ConvolutionPair(*step) for step in [(slices, widths[0]), *pairwise(widths)])

    def forward(self, images: Tensor) -> list[Tensor]:
        """Encode (B, N, H, W) images, finest features first."""
        features = [self.stages[0](images)]
        for stage in list(self.stages)[1:]:
            features.append(stage(functional.max_pool2d(features[-1], 2)))
        return features


class Decoder(nn.Module):
    """Back from stride 16 to stride 1, the encoder's features joined as channels."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        steps = list(pairwise(widths))[::-1]
        self.stages = nn.ModuleList(ConvolutionPair(coarse + fine, fine) for fine, coarse in steps)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Return features at strides 1, 2, 4 and 8, finest first."""
        x, outputs = features[-1], []
        for place, (stage, skip) in enumerate(zip(self.stages, features[-2::-1], strict=True)):
            joined = [functional.interpolate(x, scale_factor=2, mode="nearest"), self.pass_skip(place, skip, x)]
            x = stage(torch.cat(joined, dim=1))
            outputs.append(x)
        return outputs[::-1]

    def pass_skip(self, place: int, skip: Tensor, coarse: Tensor) -> Tensor:
        """Return what joins of the skip at a place, coarsest 0, where ``coarse`` comes up; here all of it."""
        return skip
