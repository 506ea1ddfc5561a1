"""A small convolutional network in numpy: five strided convolutions, mean and largest value, two linear heads.

Weights are trained elsewhere (``segmentation.training.content``); batch normalisation is folded into them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

STRIDES = (2, 2, 1, 2, 1, 2)


@dataclass(frozen=True, eq=False)
class Network:
    """Weights of the network.

    Attributes:
        kernels: Of each convolution, (out, in, height, width); sizes are odd, edges are padded with zeros.
        biases: Of each convolution, (out,).
        view_weight: (views, 2 * features).
        view_bias: (views,).
        sequence_weight: (sequences, 2 * features).
        sequence_bias: (sequences,).
    """

    kernels: tuple[Array, ...]
    biases: tuple[Array, ...]
    view_weight: Array
    view_bias: Array
    sequence_weight: Array
    sequence_bias: Array

    @classmethod
    def from_state(cls, state: dict[str, Array]) -> "Network":
        """Build from named arrays.

        Raises:
            KeyError: If one is missing.
        """
        count = len(STRIDES)
        return cls(
            kernels=tuple(state[f"kernel_{index}"] for index in range(count)),
            biases=tuple(state[f"bias_{index}"] for index in range(count)),
            view_weight=state["view_weight"],
            view_bias=state["view_bias"],
            sequence_weight=state["sequence_weight"],
            sequence_bias=state["sequence_bias"],
        )

    def logits(self, planes: Array) -> tuple[Array, Array]:
        """Return the logits of views and of sequences.

        Args:
            planes: (2, side, side) from ``imaging.content.view.channels``.
        """
        for kernel, bias, stride in zip(self.kernels, self.biases, STRIDES, strict=True):
            planes = np.maximum(_convolve(planes, kernel, stride) + bias[:, None, None], 0)
        features = np.concatenate([planes.mean(axis=(1, 2)), planes.max(axis=(1, 2))])
        return (
            self.view_weight @ features + self.view_bias,
            self.sequence_weight @ features + self.sequence_bias,
        )


def _convolve(planes: Array, kernel: Array, stride: int) -> Array:
    """Return the correlation of (C, H, W) with (O, C, h, w) at every ``stride``-th place, zeros outside."""
    height, width = kernel.shape[2:]
    padded = np.pad(planes, ((0, 0), (height // 2, height // 2), (width // 2, width // 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    rows, columns = windows.shape[1:3]
    columns_of = windows.transpose(0, 3, 4, 1, 2).reshape(-1, rows * columns)
    return np.asarray((kernel.reshape(len(kernel), -1) @ columns_of).reshape(-1, rows, columns))
