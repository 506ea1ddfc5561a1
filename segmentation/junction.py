"""Does this disc look like the lumbosacral one? A linear look at its surroundings, in numpy alone.

A patch is cut out around a disc's posterior end, along the disc's own axes and as large as the slice's usual pitch
says, so neither pixel size nor posture matters: 2.2 pitches from front to back, 1.4 above to 1.9 below. It holds
the grey values and the network's structure maps. A linear head answers with the disc's distance from L5-S1 in
levels: two or more below it, one below, itself, one above, two or more above. It knows what a reader looks at at
the lumbosacral junction: the promontory, the shape of the bodies, the end of the sac, the fat behind the sacrum.

Grey values are looked at on T2 only; the head for other sequences sees the structure maps alone.
Fitted by ``python -m segmentation.training.naming``; no voice decides alone (``evidence``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segmentation.chain import DiscChain
from segmentation.frame import Points, SliceFrame
from segmentation.solver import FloatArray
from segmentation.types import SliceMaps

GREY = "grey"
OFFSETS = (-2, -1, 0, 1, 2)
"""Levels above L5-S1 that the classes stand for; the first and the last hold everything beyond."""
_ALONG = np.linspace(-1.3, 0.9, 34)
_DOWN = np.linspace(-1.4, 1.9, 50)
_SMOOTH, _STRIDE = 1.2, 2
_FLOOR = 0.01
"""Least probability of a class, so that one patch is never decisive."""
_NEXT_STEP, _NEXT_TURN_DEG = 0.85, -6.0
"""Where the next disc is to be expected below the lowest one: pitches along its normal, and its turn."""
_WHITE_PERCENTILE = 99.0


@dataclass(frozen=True, eq=False)
class JunctionHead:
    """A linear head.

    Attributes:
        channels: ``grey`` and names of structures, in the order of the patch.
        weights: (5, C * r * q).
        bias: (5,).
    """

    channels: tuple[str, ...]
    weights: FloatArray
    bias: FloatArray

    def fits(self, maps: SliceMaps) -> bool:
        """Return True when the network gives all maps that the head looks at."""
        return set(self.channels) <= {GREY, *maps.structures}

    def log_probabilities(self, patches: FloatArray) -> FloatArray:
        """Return (n, 5) log-probabilities of ``OFFSETS`` for (n, C * r * q) patches."""
        logits = patches @ self.weights.T + self.bias
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        shares /= shares.sum(axis=1, keepdims=True)
        floored: FloatArray = np.log(shares * (1 - _FLOOR * len(OFFSETS)) + _FLOOR)
        return floored


def junction_answers(
    head: JunctionHead, chain: DiscChain, image: NDArray[np.float32], maps: SliceMaps, frame: SliceFrame
) -> FloatArray:
    """Return (n + 1, 5) log-probabilities of ``OFFSETS`` for each disc and the place below the lowest one."""
    return head.log_probabilities(
        np.stack([cut_patch(place, chain.pitch, image, maps, frame, head.channels) for place in places_of(chain)])
    )


def places_of(chain: DiscChain) -> list[tuple[Points, Points]]:
    """Return (posterior end, axis) of each disc, and where the next one below is to be expected."""
    last = chain.discs[-1]
    angle = np.radians(_NEXT_TURN_DEG)
    cos, sin = np.cos(angle), np.sin(angle)
    axis = np.array([[cos, -sin], [sin, cos]]) @ last.axis
    down = np.array([-axis[1], axis[0]])
    following = last.posterior + _NEXT_STEP * chain.pitch * down
    return [*((disc.posterior, disc.axis) for disc in chain.discs), (following, axis)]


def cut_patch(
    place: tuple[Points, Points],
    pitch: float,
    image: NDArray[np.float32],
    maps: SliceMaps,
    frame: SliceFrame,
    channels: tuple[str, ...],
) -> FloatArray:
    """Return the patch around a place, flat; outside the image everything is 0.

    Args:
        place: Posterior end of a disc and its axis, plane.
        pitch: Usual distance of neighbouring discs, plane units.
        image: Grey values, (rows, columns).
        maps: The network's output for the slice (N = 1).
        frame: The slice's plane.
        channels: What is looked at.
    """
    origin, axis = place
    down = np.array([-axis[1], axis[0]])
    points = origin + pitch * (_ALONG[None, :, None] * axis + _DOWN[:, None, None] * down)
    px = frame.to_px(points.reshape(-1, 2))
    layers = [
        _smooth(_grey(_sample(image, px), image) if name == GREY else _sample(_map_of(name, maps), px))
        for name in channels
    ]
    return np.concatenate([layer.ravel() for layer in layers])


def _sample(layer: NDArray[np.float32], px: Points) -> FloatArray:
    """Return (rows, columns) of the patch, linear between pixels."""
    values = ndimage.map_coordinates(
        layer.astype(np.float64), [px[:, 1], px[:, 0]], order=1, mode="constant", cval=0.0
    )
    return np.asarray(values.reshape(len(_DOWN), len(_ALONG)))


def _grey(values: FloatArray, image: NDArray[np.float32]) -> FloatArray:
    """Return grey values without brightness and contrast of their own."""
    clipped = np.clip(values / max(float(np.percentile(image, _WHITE_PERCENTILE)), 1e-6), 0.0, 1.0)
    standard: FloatArray = (clipped - clipped.mean()) / (clipped.std() + 1e-3)
    return standard


def _smooth(layer: FloatArray) -> FloatArray:
    return np.asarray(ndimage.gaussian_filter(layer, _SMOOTH)[::_STRIDE, ::_STRIDE])


def _map_of(name: str, maps: SliceMaps) -> NDArray[np.float32]:
    found: NDArray[np.float32] = maps.probabilities[0, maps.structures.index(name)]
    return found
