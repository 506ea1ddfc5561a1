"""Training slices of phantoms: sagittal slices of made-up patients in many contrasts, with exact masks.

Every patient is painted once on the canonical grid; each slice is then drawn in contrasts by chance and in
scanners by chance (``imaging.phantom.draws``). Labels are those of the real masks: disc, vertebra with its
posterior elements, canal; the sacrum is background, as SPIDER does not label it.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anatomy import STRUCTURES, VERTEBRAE, Structure
from imaging.phantom.draws import PaintedPatient, paint_patient
from imaging.phantom.picture import to_grey
from imaging.phantom.setup import SeriesRow, load_setup
from imaging.phantom.tables import phantom_file, read_yaml
from imaging.phantom.types import TruthLevel
from segmentation.training.config import PhantomConfig
from segmentation.training.data import LEVELS, TrainingSlice, no_points, read_cache, write_cache

logger = logging.getLogger(__name__)

KIND = "phantom"
_FIRST_DISC_LABEL = 200
_PIXEL_SHARE = (0.86, 1.03)  # of the field of view that SPIDER's slices have: 300 mm; own choice
_FIELD_MM = 300.0
_SHAPE_SHARE = 0.8  # columns over rows
_SPACING_MM = (4.0, 8.0)  # between the slices of a patient
_THICKNESS_MM = (1.0, 4.5)  # T2 SPACE to ordinary slices
_POINTS_WITHIN_MM = 6.0  # of the middle of the level, as a reader marks points on the middle slice


def load_phantom_slices(config: PhantomConfig, cache_dir: Path, long_side_px: int) -> list[TrainingSlice]:
    """Return all slices of the configured phantoms, from the cache when it is there, else built and cached.

    The cache is told apart by the configuration and the versions of the phantom's tables.
    """
    version = paint_patient("lumbar", seed=config.first_seed, row=_tiny_row()).scene.version
    drawn = [read_yaml(phantom_file(name))["version"] for name in ("tissues", "contrast", "scanners")]
    key = json.dumps([asdict(config), long_side_px, version, *drawn])
    cache = cache_dir / f"phantom_{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
    if cache.is_file():
        return read_cache(cache)
    slices: list[TrainingSlice] = []
    for seed in range(config.first_seed, config.first_seed + config.patients):
        slices += patient_slices(seed, config, long_side_px)
        if (seed - config.first_seed) % 20 == 0:
            logger.info("phantom slices: %d of %d patients", seed - config.first_seed, config.patients)
    cache_dir.mkdir(parents=True, exist_ok=True)
    write_cache(cache, slices)
    return slices


def patient_slices(seed: int, config: PhantomConfig, long_side_px: int) -> Iterator[TrainingSlice]:
    """Yield the slices of one patient: every position in every contrast."""
    rng = np.random.default_rng((seed, 90))
    patient = paint_patient("lumbar", seed=seed, row=_row(config, long_side_px, rng))
    labels = training_labels(patient.labels())
    levels = {level.name: level for level in patient.scene.measure().levels}
    volumes = [*patient.random_contrasts(config.contrasts), *patient.random_scanners(config.scanners)]
    for draw, volume in enumerate(volumes):
        for k in range(labels.shape[2]):
            yield TrainingSlice(
                f"phantom/{seed}/{k}/{draw}",
                seed,
                KIND,
                to_grey(volume[:, :, k].T),
                np.ascontiguousarray(labels[:, :, k].T),
                (True, True, True),
                _points(patient, levels, k),
            )


def training_labels(label_array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 0 background, 1 disc, 2 vertebra, 3 canal of an array of ``anatomy/codes.csv`` numbers."""
    result = np.zeros_like(label_array)
    result[(label_array >= 1) & (label_array <= len(VERTEBRAE))] = 2
    result[label_array > _FIRST_DISC_LABEL] = 1
    for structure in (Structure.SPINAL_CANAL, Structure.SPINAL_CORD):
        result[label_array == STRUCTURES[structure].label] = 3
    return result


def _points(patient: PaintedPatient, levels: dict[str, TruthLevel], k: int) -> NDArray[np.float32]:
    """Return (5, 2) posterior points (x, y) in pixels where slice k lies at the middle of all five levels."""
    if not set(LEVELS) <= set(levels):  # a transitional spine
        return no_points()
    inverse = np.linalg.inv(patient.affine)
    places = np.array([inverse @ [*levels[name].posterior_ras_mm, 1.0] for name in LEVELS])
    away_mm = np.abs(places[:, 2] - k) * patient.row.spacing
    inside = (places[:, :2] >= 0).all() and (places[:, :2] < (patient.row.cols, patient.row.rows)).all()
    return places[:, :2].astype(np.float32) if inside and away_mm.max() <= _POINTS_WITHIN_MM else no_points()


def _row(config: PhantomConfig, long_side_px: int, rng: np.random.Generator) -> SeriesRow:
    return replace(
        _tiny_row(),
        rows=long_side_px,
        cols=16 * round(_SHAPE_SHARE * long_side_px / 16),
        pixel=float(rng.uniform(*_PIXEL_SHARE)) * _FIELD_MM / long_side_px,
        slices=config.slices,
        spacing=float(rng.uniform(*_SPACING_MM)),
        thickness=float(rng.uniform(*_THICKNESS_MM)),
    )


def _tiny_row() -> SeriesRow:
    usual = next(row for row in load_setup("setup_lumbar").series if row.role == "sagittal_t2")
    return replace(usual, rows=16, cols=16, slices=1)
