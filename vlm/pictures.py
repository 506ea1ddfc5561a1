"""Key slices for writers that look at pictures: one grey slice a series, without overlay or any text of ours.

A picture is made of pixel values alone, so nothing of a file's header can travel with it. Loads without torch.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.intensity import normalise_slice
from imaging.types import Series

LONG_SIDE_PX = 512
"""Longer side of a picture: one tile of SmolVLM (512), between LLaVA's 336 and Gemma 3's 896."""


@dataclass(frozen=True, eq=False)
class KeySlice:
    """One slice as a writer sees it.

    Attributes:
        series_id: Series of the study.
        name: Plane and weighting, such as ``sagittal t2``.
        slice_index: Slice k.
        grey: (rows, columns) uint8; square pixels, longer side ``LONG_SIDE_PX``, windowed as the networks see it.
    """

    series_id: str
    name: str
    slice_index: int
    grey: NDArray[np.uint8]

    def to_image(self) -> Image.Image:
        """Return an RGB picture."""
        return Image.fromarray(self.grey).convert("RGB")

    def to_png(self) -> bytes:
        """Return a grey PNG without metadata."""
        buffer = io.BytesIO()
        Image.fromarray(self.grey).save(buffer, format="PNG")
        return buffer.getvalue()


def key_slice(series: Series, k: int) -> KeySlice:
    """Render slice k of a series.

    Raises:
        ValueError: If the series has no such slice.
    """
    columns, rows, slices = series.volume.shape
    if not 0 <= k < slices:
        raise ValueError(f"slice: expected 0 to {slices - 1}, got {k!r}")
    spacing = series.volume.spacing
    width, height = (
        (float(columns), float(rows)) if spacing is None else (columns * spacing.col_mm, rows * spacing.row_mm)
    )
    scale = LONG_SIDE_PX / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    grey = Image.fromarray(np.round(normalise_slice(series.volume.slice_image(k)) * 255).astype(np.uint8))
    return KeySlice(
        series_id=series.id,
        name=f"{series.plane.value} {series.sequence.value}",
        slice_index=k,
        grey=np.asarray(grey.resize(size, Image.Resampling.BICUBIC)),
    )
