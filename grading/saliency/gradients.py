"""Heat on the last feature map of a patch encoder, by captum (BSD-3). Tensors only.

Notation: N windows of H rows and W columns that went through an encoder; C channels, h rows and w columns of the
feature map; one score per study. The gradient reaches every window of the study, since levels, and slices of a
joint, inform each other.

Sources: Grad-CAM, Selvaraju et al., ICCV 2017 (channels weighted by the gradient's mean over places); HiResCAM,
Draelos and Carin, arXiv 2011.08891 (each place by its own gradient). Where the head reads places apart, as our
pooling does, the mean over places mixes what the head keeps apart, and Grad-CAM may point where the network did
not look.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from grading.joints.model import JointInputs
from grading.model import GradingInputs
from grading.saliency.types import SaliencyMethod

Inputs = TypeVar("Inputs", GradingInputs, JointInputs)
Outputs = TypeVar("Outputs")


class _EncoderInputs:
    """Keeps the windows of an encoder's last call while the block lasts."""

    def __init__(self, encoder: nn.Module) -> None:
        self._handle = encoder.register_forward_pre_hook(self._keep)
        self.windows: Tensor | None = None

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.windows = inputs[0].detach()

    def __enter__(self) -> "_EncoderInputs":
        return self

    def __exit__(self, *error: object) -> None:
        self._handle.remove()


def encoder_heat(
    network: nn.Module,
    inputs: Inputs,
    score: Callable[[Outputs], Tensor],
    method: SaliencyMethod,
    *,
    encoder: str = "encoder",
) -> tuple[Tensor, Tensor]:
    """Return the windows that went through an encoder and the signed heat of its trunk's feature map.

    Args:
        network: In eval mode.
        inputs: Of ``network``, one study.
        score: What the network returns -> the scalar to explain.
        method: How.
        encoder: Name of the submodule; has a ``trunk`` and is called once a forward pass.

    Returns:
        First channel of the windows (N, H, W), and heat (N, h, w) in units of the score; positive speaks for it.

    Raises:
        ValueError: If the network is in training mode: dropout would make the map a matter of chance.
    """
    from captum.attr import LayerGradCam, LayerGradientXActivation

    if network.training:
        raise ValueError("network: expected eval mode, got training mode; call network.eval()")

    def forward(crops: Tensor) -> Tensor:
        return score(network(inputs._replace(crops=crops))).reshape(1)

    trunk = network.get_submodule(f"{encoder}.trunk")
    with _EncoderInputs(network.get_submodule(encoder)) as seen, torch.enable_grad():
        if method is SaliencyMethod.GRAD_CAM:
            cells = LayerGradCam(forward, trunk).attribute(inputs.crops)
        else:
            cells = LayerGradientXActivation(forward, trunk).attribute(inputs.crops)
    assert seen.windows is not None
    return seen.windows[:, 0], cells.detach().sum(dim=1)
