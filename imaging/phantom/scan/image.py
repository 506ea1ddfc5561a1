"""From painted tissues to the images of a series, in the order in which a scanner spoils them."""

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.scan.artefacts import breathing_ghosts, flow_change, move
from imaging.phantom.scan.coil import rician, sensitivity
from imaging.phantom.scan.kspace import measure_lines
from imaging.phantom.scan.signal import pool_signals
from imaging.phantom.scan.slices import mean_slices, volume
from imaging.phantom.scan.texture import Painted
from imaging.phantom.scan.values import TissueValues
from imaging.phantom.scene import Coil
from imaging.phantom.setup import SeriesRow, Setup
from imaging.phantom.tissues import Palette
from imaging.types import FloatVolume

_WHITE = 1400.0  # stored value of the brightest tissue at full coil sensitivity
_FRONT_MM = 130.0  # in front of the coil: what breathing moves; own choice
_FRONT_SOFT_MM = 25.0


def take_image(
    painted: Painted,
    palette: Palette,
    values: TissueValues,
    row: SeriesRow,
    coil: Coil,
    setup: Setup,
    *,
    seed: tuple[int, int],
) -> FloatVolume:
    """Return the image of a painted grid.

    Args:
        painted: Tissues with their fine structure.
        palette: Tissue numbers.
        values: Relaxation of this patient's tissues at this field.
        row: How the series is taken.
        coil: Where the surface coil lies.
        setup: Noise, the coil's depth, faults.
        seed: Of noise and faults.

    Returns:
        (I, J, K) float32 of whole numbers from 0, as a scanner stores them.
    """
    rng = np.random.default_rng(seed)
    water, fat = pool_signals(values, row)
    csf = palette.number("csf")
    water_image, fat_image = _pools(painted, water, fat, palette.number("fat"), setup)
    if setup.artefacts.flow:
        only_csf = np.where(np.arange(len(water)) == csf, water, 0.0).astype(np.float32)
        flowing = mean_slices(only_csf, painted.numbers, setup.slice_profile)
        water_image += flow_change(flowing, row, setup.artefacts.flow, rng)
    image = measure_lines(water_image, fat_image, row, values, field_strength_t=setup.field_strength_t)
    received = sensitivity(painted.canvas.grid, coil, setup.coil_depth_mm, near=setup.coil_near)
    image *= received
    if setup.artefacts.breathing:
        front = _front(painted, coil)
        image += breathing_ghosts(image, front, row, setup.artefacts.breathing)
    if setup.artefacts.motion_mm:
        image = move(image, row, setup.artefacts.motion_mm, pixel=row.pixel, rng=rng)
    brightest = float(np.abs(water + fat).max())
    image = rician(image, setup.noise_share * brightest, rng)
    image *= _WHITE / brightest
    return volume(np.rint(image, out=image))


def _pools(
    painted: Painted, water: NDArray[np.float32], fat: NDArray[np.float32], fat_number: int, setup: Setup
) -> tuple[FloatVolume, FloatVolume]:
    """Return the signals (K, I, J) of water and fat, partial volume, grain and streaks of fat in them."""
    keep = 1.0 - painted.streak
    water_image = mean_slices(water, painted.numbers, setup.slice_profile)
    water_image *= keep
    fat_image = mean_slices(fat, painted.numbers, setup.slice_profile)
    fat_image *= keep
    fat_image += painted.streak * fat[fat_number]
    for image in (water_image, fat_image):
        image *= painted.gain
    return water_image, fat_image


def _front(painted: Painted, coil: Coil) -> FloatVolume:
    """Return how much breathing moves a place (broadcasts to (K, I, J)): 0 behind, 1 in front."""
    grid = painted.canvas.grid
    _, y, z = (axis[:, :, :: grid.sub_slices] if axis.shape[2] > 1 else axis for axis in grid.points())
    depth = (y - coil.back(z) - _FRONT_MM) / _FRONT_SOFT_MM
    return np.ascontiguousarray(np.clip(depth, 0.0, 1.0).transpose(2, 0, 1), dtype=np.float32)
