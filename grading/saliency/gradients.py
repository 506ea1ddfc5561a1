"""Heat on the last feature map of the patch encoder, by captum (BSD-3). Tensors only.

Notation: N crops of H rows and W columns that went through the encoder; C channels, h rows and w columns of the
feature map; one score per study. The gradient reaches every crop of the study, since levels inform each other.

Sources: Grad-CAM, Selvaraju et al., ICCV 2017 (channels weighted by the gradient's mean over places); HiResCAM,
Draelos and Carin, arXiv 2011.08891 (each place by its own gradient). Where the head reads places apart, as our
pooling does, the mean over places mixes what the head keeps apart, and Grad-CAM may point where the network did
not look.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from grading.model import GradingInputs
from grading.saliency.types import SaliencyMethod

Score = Callable[[Mapping[str, Tensor]], Tensor]
"""What the network returns for one study -> the scalar to explain."""


class _EncoderInputs:
    """Keeps the crops of the encoder's last call while the block lasts."""

    def __init__(self, encoder: nn.Module) -> None:
        self._handle = encoder.register_forward_pre_hook(self._keep)
        self.crops: Tensor | None = None

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.crops = inputs[0].detach()

    def __enter__(self) -> "_EncoderInputs":
        return self

    def __exit__(self, *error: object) -> None:
        self._handle.remove()


def encoder_heat(
    network: nn.Module, inputs: GradingInputs, score: Score, method: SaliencyMethod
) -> tuple[Tensor, Tensor]:
    """Return the crops that went through ``network.encoder`` and the signed heat of its trunk's feature map.

    Args:
        network: Has ``encoder`` with ``trunk``, called once a forward pass; in eval mode.
        inputs: Of ``network``, one study.
        score: What to explain.
        method: How.

    Returns:
        Crops (N, H, W) and heat (N, h, w) in units of the score; positive speaks for it.

    Raises:
        ValueError: If the network is in training mode: dropout would make the map a matter of chance.
    """
    from captum.attr import LayerGradCam, LayerGradientXActivation

    if network.training:
        raise ValueError("network: expected eval mode, got training mode; call network.eval()")

    def forward(crops: Tensor) -> Tensor:
        return score(network(inputs._replace(crops=crops))).reshape(1)

    encoder, trunk = network.get_submodule("encoder"), network.get_submodule("encoder.trunk")
    with _EncoderInputs(encoder) as seen, torch.enable_grad():
        if method is SaliencyMethod.GRAD_CAM:
            cells = LayerGradCam(forward, trunk).attribute(inputs.crops)
        else:
            cells = LayerGradientXActivation(forward, trunk).attribute(inputs.crops)
    assert seen.crops is not None
    return seen.crops.squeeze(1), cells.detach().sum(dim=1)


def rows_of(crops: Tensor, image: Tensor) -> Tensor:
    """Return the rows of (N, H, W) crops that hold an image (H, W), (n,) indices.

    Finding a crop by its content asks nothing of how the network orders its crops.
    """
    if crops.shape[1:] != image.shape:
        return torch.zeros(0, dtype=torch.long, device=crops.device)
    return (crops == image).flatten(1).all(dim=1).nonzero().flatten()
