"""Changed views for the content network, made anew for every batch."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imaging.content.view import SIDE_PX, channels

if TYPE_CHECKING:
    from segmentation.training.content import Pictures

# Share of sagittal pictures shown upright, and shares of the ways they may lie otherwise.
_UPRIGHT, _OTHER = 0.55, 0.15
_SEQUENCES = {"t1": 0, "t2": 1, "stir": 2}


def change_views(pictures: "Pictures", rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return channels (N, 2, side, side), view classes (N,) and sequence classes (N,), -1 where none is taught."""
    images, views, sequences = [], [], []
    for index in range(len(pictures.plane)):
        image = pictures.image[index].astype(np.float32) / 255
        image, view = _lay(image, str(pictures.plane[index]), rng)
        sequence = _SEQUENCES.get(str(pictures.sequence[index]), -1)
        is_phantom = str(pictures.source[index]) == "phantom"
        if is_phantom and rng.random() < 0.35:
            image, sequence = _other_contrast(image, rng), -1
        images.append(image)
        views.append(view)
        sequences.append(sequence)
    squares = _warp(torch.from_numpy(np.stack(images))[:, None], rng)[:, 0].numpy()
    planes = np.stack([channels(_retouch(square, rng)) for square in squares])
    return torch.from_numpy(planes), torch.tensor(views), torch.tensor(sequences)


def _lay(image: NDArray[np.float32], plane: str, rng: np.random.Generator) -> tuple[NDArray[np.float32], int]:
    """Turn a picture over, and return its view class (``content.VIEWS``)."""
    if plane != "sagittal":
        image = image[:, ::-1] if rng.random() < 0.5 else image
        image = image[::-1] if rng.random() < 0.15 else image
        return np.ascontiguousarray(image), 4 if plane == "axial" else 5
    draw = rng.random()
    if draw < _UPRIGHT:
        return image, 0
    way = int((draw - _UPRIGHT) / _OTHER)
    turned = (image[:, ::-1], image[::-1, ::-1], image[::-1])[min(way, 2)]
    return np.ascontiguousarray(turned), 1 + min(way, 2)


def _other_contrast(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Send brightness through a random curve, as another weighting would; black stays black."""
    curve = np.concatenate([[0.0], rng.uniform(0.05, 1.0, 6)])
    return np.asarray(np.interp(image, np.linspace(0, 1, 7), curve), dtype=np.float32)


def _warp(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn by up to 12 degrees, stretch, move and bend; (N, 1, S, S) -> (N, 1, side, side)."""
    count = len(images)
    angle = torch.from_numpy(np.radians(rng.uniform(-12, 12, count)))
    zoom = torch.from_numpy(np.exp(rng.uniform(-0.3, 0.15, (count, 1)) + rng.uniform(-0.12, 0.12, (count, 2))))
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(count, 2, 2)
    shift = torch.from_numpy(rng.uniform(-0.12, 0.12, (count, 2, 1)))
    theta = torch.cat([turn * zoom[:, :, None], shift], dim=2).float()
    grid = functional.affine_grid(theta, [count, 1, SIDE_PX, SIDE_PX], align_corners=False)
    bend = torch.from_numpy(rng.normal(0, 0.02, (count, 2, 4, 4))).float()
    bend = functional.interpolate(bend, size=(SIDE_PX, SIDE_PX), mode="bicubic", align_corners=False)
    return functional.grid_sample(images, grid + bend.permute(0, 2, 3, 1), align_corners=False)


def _retouch(square: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Give a picture another coil, brightness curve, saturation band, sharpness and noise."""
    y, x = np.mgrid[-1 : 1 : SIDE_PX * 1j, -1 : 1 : SIDE_PX * 1j].astype(np.float32)
    tilt = rng.normal(0, 0.8, 2)
    field = tilt[0] * x + tilt[1] * y - rng.uniform(0, 1.5) * x**2 - rng.uniform(0, 1.5) * y**2
    square = square * np.exp(field - field.max())
    if rng.random() < 0.25:  # a saturation band, or what the coil does not reach
        along, place, width = (x, y)[rng.integers(2)], rng.uniform(-1, 1), rng.uniform(0.1, 0.5)
        square = square * (1 - rng.uniform(0.6, 1.0) * (np.abs(along - place) < width / 2))
    square = square / max(float(np.percentile(square, 99.5)), 1e-6)
    square = np.clip(square, 0, 1) ** np.exp(rng.uniform(-0.5, 0.5))
    noisy = square + rng.normal(0, rng.uniform(0, 0.06), square.shape)
    return np.asarray(np.clip(noisy, 0, 1), dtype=np.float32)
