"""Layer-wise learning rates: the deeper into the patch encoder, the slower, in place of a frozen backbone.

Source: layer-wise learning rate decay as in Clark et al., ELECTRA, ICLR 2020, and Bao et al., BEiT, ICLR 2022.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from torch import nn


def parameter_groups(
    network: nn.Module, encoders: Sequence[nn.Module], rate: float, decay: float
) -> list[dict[str, Any]]:
    """Return the optimiser's groups, each parameter in one.

    Args:
        network: The network.
        encoders: Its patch encoders.
        rate: Of everything after the encoders.
        decay: Factor from one stage of the encoder to the one before it; 1 trains all alike.
    """
    staged = [list(_stages(encoder)) for encoder in encoders]
    deep = {id(parameter) for stages in staged for stage in stages for parameter in stage.parameters()}
    top = [parameter for parameter in network.parameters() if id(parameter) not in deep]
    groups: list[dict[str, Any]] = [{"params": top, "lr": rate}]
    for distance, together in enumerate(zip_longest(*(reversed(stages) for stages in staged)), start=1):
        parameters = [parameter for stage in together if stage is not None for parameter in stage.parameters()]
        groups.append({"params": parameters, "lr": rate * decay**distance})
    return [group for group in groups if group["params"]]


def _stages(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the encoder's parts from its input to its output, the trunk's stages one by one."""
    children = list(module.children())
    if len(children) == 1:
        yield from _stages(children[0])
    for child in children if len(children) > 1 else ():
        if isinstance(child, (nn.Sequential, nn.ModuleList)) or type(child).__name__.endswith("Trunk"):
            yield from _stages(child)
        else:
            yield child
