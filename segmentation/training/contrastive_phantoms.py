"""Phantoms for contrastive training: a few slices of made-up patients with label map, levels and grades.

A patient is painted on a coarse grid (regions are cut at 96 pixels) and drawn in scanners and contrasts by chance.
No real patient is in them, so a text tower trained on them can be used with any fold of the real ones.
"""

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.draws import PaintedPatient, paint_patient
from imaging.phantom.picture import to_grey
from imaging.phantom.setup import load_setup
from segmentation.training.contrastive_config import PhantomDraw

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PhantomPatient:
    """One drawn patient.

    Attributes:
        protocol: ``lumbar``, ``cervical`` or ``sacroiliac``.
        seed: Of the patient.
        pixel_mm: Pixel size.
        images: (D, K, H, W) uint8: D draws of K slices.
        labels: (K, H, W) uint8, numbers of ``anatomy/codes.csv``.
        points: Disc level -> posterior margin as (column, row, slice), in pixels and slices of this grid.
        grades: (condition, level, side or None, grade) of all levels.
        spacing_mm: Between slices.
    """

    protocol: str
    seed: int
    pixel_mm: float
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    points: dict[str, tuple[float, float, float]]
    grades: tuple[tuple[str, str, str | None, str], ...]
    spacing_mm: float


def load_phantom_patients(draws: tuple[PhantomDraw, ...], cache_dir: Path) -> list[PhantomPatient]:
    """Return the patients of all draws, from the cache where they are there, else built and cached."""
    patients: list[PhantomPatient] = []
    for draw in draws:
        file = cache_dir / f"clip_{draw.protocol}_{_key(draw)}.npz"
        if not file.is_file():
            cache_dir.mkdir(parents=True, exist_ok=True)
            _write(file, [draw_patient(draw, draw.first_seed + number) for number in range(draw.patients)])
            logger.info("drawn: %d patients of %s", draw.patients, draw.protocol)
        patients += _read(file)
    return patients


def draw_patient(draw: PhantomDraw, seed: int) -> PhantomPatient:
    """Draw one patient: its slices in ``draw.scanners`` scanners and ``draw.contrasts`` contrasts by chance."""
    rng = np.random.default_rng((seed, 91))
    usual = load_setup(f"setup_{draw.protocol}").series[0]
    pixel = float(rng.uniform(*draw.pixel_mm))
    row = replace(
        usual, rows=draw.rows, cols=draw.columns, pixel=pixel, slices=draw.slices, spacing=draw.spacing_mm
    )
    patient = paint_patient(draw.protocol, seed=seed, row=row)
    truth = patient.scene.measure()
    volumes = [*patient.random_scanners(draw.scanners), *patient.random_contrasts(draw.contrasts)]
    images = [[to_grey(volume[:, :, k].T) for k in range(draw.slices)] for volume in volumes]
    places = {level.name: _place(patient, level.posterior_ras_mm) for level in truth.levels}
    grades = tuple(
        (item.condition.value, item.level, item.side.value if item.side else None, item.grade)
        for item in truth.grades
    )
    labels = np.ascontiguousarray(patient.labels().transpose(2, 1, 0))
    return PhantomPatient(draw.protocol, seed, pixel, np.array(images), labels, places, grades, draw.spacing_mm)


def _place(patient: PaintedPatient, ras_mm: tuple[float, float, float]) -> tuple[float, float, float]:
    column, row, slice_index = (np.linalg.inv(patient.affine) @ [*ras_mm, 1.0])[:3]
    return float(column), float(row), float(slice_index)


def _key(draw: PhantomDraw) -> str:
    version = paint_version(draw.protocol)
    return hashlib.sha256(json.dumps([asdict(draw), version]).encode()).hexdigest()[:10]


def paint_version(protocol: str) -> str:
    """Return the version of a region's phantom tables."""
    usual = replace(load_setup(f"setup_{protocol}").series[0], rows=16, cols=16, slices=1)
    return paint_patient(protocol, seed=1, row=usual).scene.version


def _write(file: Path, patients: list[PhantomPatient]) -> None:
    arrays: dict[str, Any] = {
        "images": np.stack([item.images for item in patients]),
        "labels": np.stack([item.labels for item in patients]),
    }
    facts = [
        [item.protocol, item.seed, item.pixel_mm, item.points, item.grades, item.spacing_mm] for item in patients
    ]
    part = file.with_name(file.stem + ".part.npz")
    np.savez(part, facts=np.array(json.dumps(facts)), **arrays)
    part.replace(file)


def _read(file: Path) -> list[PhantomPatient]:
    with np.load(file) as arrays:
        images, labels, facts = arrays["images"], arrays["labels"], json.loads(str(arrays["facts"]))
    patients = []
    for row, image, label in zip(facts, images, labels, strict=True):
        protocol, seed, pixel, points, grades, spacing = row
        places = {level: (float(x), float(y), float(k)) for level, (x, y, k) in points.items()}
        kept = tuple((condition, level, side, grade) for condition, level, side, grade in grades)
        patients.append(PhantomPatient(protocol, seed, pixel, image, label, places, kept, spacing))
    return patients
