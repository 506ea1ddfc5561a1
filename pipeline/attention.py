"""Where the segmentation network looked, as files: one panel a prompt, and the maps themselves.

An explanation, not a finding: it shows which patches a prompt took its evidence from. Written only when asked for.
"""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imaging.types import Series, Study
from segmentation.types import Explanation

_PANEL_PX = 260
_BAND_PX = 26
_COLUMNS = 4
_HEAT = np.array([255.0, 90.0, 20.0])
_STRENGTH = 0.7
"""Opacity where a map is largest."""
_CAPTION = "SpineScribe draft, research use only: where each prompt of the segmentation network looked"


def render_attention(explanation: Explanation, study: Study) -> bytes:
    """Return a PNG with one panel a prompt: the slice, and the prompt's attention as a glow over it."""
    series = next(item for item in study.series if item.id == explanation.series_id)
    grey = _grey(series, explanation.slice_index)
    size = _panel_size(series)
    columns = min(_COLUMNS, len(explanation.prompt_names))
    rows = math.ceil(len(explanation.prompt_names) / columns)
    width, height = size[0], size[1] + _BAND_PX
    sheet = Image.new("RGB", (columns * width, rows * height + _BAND_PX))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    for index, name in enumerate(explanation.prompt_names):
        x, y = index % columns * width, index // columns * height
        sheet.paste(_panel(grey, explanation.maps[index], size), (x, y + _BAND_PX))
        draw.text((x + 6, y + 5), name.replace("_", " "), fill=(230, 230, 230), font=font)
    draw.text((6, rows * height + 5), _CAPTION, fill=(190, 190, 190), font=font)
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def pack_attention(explanation: Explanation) -> bytes:
    """Return an NPZ: ``maps`` (P, rows, columns) float16, ``prompts`` (P,), ``series`` and ``slice``."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        maps=explanation.maps.astype(np.float16),
        prompts=np.array(explanation.prompt_names),
        series=np.array(explanation.series_id),
        slice=np.array(explanation.slice_index),
    )
    return buffer.getvalue()


def _grey(series: Series, k: int) -> NDArray[np.float32]:
    from imaging.intensity import normalise_slice

    return np.asarray(np.clip(normalise_slice(series.volume.slice_image(k)), 0.0, 1.0), dtype=np.float32)


def _panel_size(series: Series) -> tuple[int, int]:
    """Return (width, height) of a panel that keeps the patient's proportions when the spacing is known."""
    columns, rows, _ = series.volume.shape
    spacing = series.volume.spacing
    across, down = (columns, rows) if spacing is None else (columns * spacing.col_mm, rows * spacing.row_mm)
    scale = _PANEL_PX / max(across, down)
    return max(1, round(across * scale)), max(1, round(down * scale))


def _panel(grey: NDArray[np.float32], heat: NDArray[np.float32], size: tuple[int, int]) -> Image.Image:
    opacity = (_STRENGTH * heat)[..., None]
    colours = (1.0 - opacity) * 255.0 * grey[..., None] + opacity * _HEAT
    return Image.fromarray(np.round(colours).clip(0, 255).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
