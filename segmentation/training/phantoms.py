"""Training slices of phantoms of all regions and planes: made-up patients in many contrasts, with exact masks.

Every patient is painted once, on a run of neighbouring slices (``phantom_kinds``); the run is then drawn in
contrasts by chance and in scanners by chance (``imaging.phantom.draws``). Labels are ``data.CLASSES``. What a
region's phantom does not draw where it would be seen is unknown: the lumbar phantom has sacrum and iliac wings but
no sacroiliac joint between them. What a region's protocol does not outline is not taught on it either: a batch
would spend most of its loss on structures that are not in it and that nobody asks for there.

Run ``python -m segmentation.training.phantoms --kind phantom_axial --patients 60 --slices 6`` to fill the cache; a
run that was broken off goes on where it stopped.
"""

import argparse
import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, replace
from operator import and_
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anatomy import STRUCTURES, VERTEBRAE, Structure, load_protocol
from imaging.phantom.draws import PaintedPatient
from imaging.phantom.picture import to_grey
from imaging.phantom.scene import build_scene
from imaging.phantom.setup import load_setup
from imaging.phantom.tables import phantom_file, read_yaml
from imaging.phantom.tissues import Palette
from imaging.phantom.types import TruthLevel
from segmentation.classes import kinds_of
from segmentation.training.config import PhantomConfig
from segmentation.training.data import (
    CLASSES,
    LEVELS,
    UNKNOWN,
    TrainingSlice,
    no_points,
    read_cache,
    write_cache,
)
from segmentation.training.phantom_kinds import PhantomKind, kinds_version, paint_run, phantom_kind

logger = logging.getLogger(__name__)

_FIRST_DISC_LABEL = 200
_POINTS_WITHIN_MM = 6.0  # of the middle of the level, as a reader marks points on the middle slice
_PART_PATIENTS = 10  # stored at a time
_CLASS_OF = {
    Structure.SPINAL_CANAL: "spinal_canal",
    Structure.SACRUM: "sacrum",
    Structure.SPINAL_CORD: "spinal_cord",
    Structure.ILIUM_LEFT: "ilium",
    Structure.ILIUM_RIGHT: "ilium",
    Structure.JOINT_SPACE_LEFT: "joint_space",
    Structure.JOINT_SPACE_RIGHT: "joint_space",
}


def class_number(name: str) -> int:
    """Return the label of one of ``data.CLASSES`` in a training slice."""
    return CLASSES.index(name) + 1


def load_phantom_slices(config: PhantomConfig, cache_dir: Path, long_side_px: int) -> list[TrainingSlice]:
    """Return all slices of the configured phantoms, from the cache when it is there, else built and cached.

    The cache is told apart by the configuration and the versions of the phantom's tables.
    """
    cache = cache_file(config, cache_dir, long_side_px)
    slices = read_cache(cache) if cache.is_file() else _build(config, cache, long_side_px)
    asked = _asked_classes(phantom_kind(config.kind).protocol)
    return [replace(item, known=tuple(map(and_, item.known, asked))) for item in slices]


def _build(config: PhantomConfig, cache: Path, long_side_px: int) -> list[TrainingSlice]:
    """Draw all slices, storing parts on the way, and store them."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    slices: list[TrainingSlice] = []
    parts = []
    for start in range(0, config.patients, _PART_PATIENTS):
        part = cache.with_name(f"{cache.stem}.from{start}.npz")
        if not part.is_file():
            stop = min(start + _PART_PATIENTS, config.patients)
            seeds = range(config.first_seed + start, config.first_seed + stop)
            write_cache(part, [item for seed in seeds for item in patient_slices(seed, config, long_side_px)])
            logger.info("%s slices: %d of %d patients", config.kind, stop, config.patients)
        slices += read_cache(part)
        parts.append(part)
    write_cache(cache, slices)
    for part in parts:
        part.unlink()
    return slices


def cache_file(config: PhantomConfig, cache_dir: Path, long_side_px: int) -> Path:
    """Return where the slices of a configuration are stored."""
    protocol = phantom_kind(config.kind).protocol
    scene = build_scene(load_setup(f"setup_{protocol}"), seed=config.first_seed, palette=Palette())
    drawn = [read_yaml(phantom_file(name))["version"] for name in ("tissues", "contrast", "scanners")]
    key = json.dumps([asdict(config), long_side_px, scene.version, kinds_version(), *drawn])
    return cache_dir / f"phantom_{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"


def patient_slices(seed: int, config: PhantomConfig, long_side_px: int) -> Iterator[TrainingSlice]:
    """Yield the slices of one patient: every position in every contrast."""
    kind = phantom_kind(config.kind)
    patient = paint_run(kind, seed, config.slices, long_side_px)
    labels = training_labels(patient.labels(), _tissue(patient), patient.palette)
    levels = {level.name: level for level in patient.scene.measure().levels} if kind.points else {}
    volumes = [*patient.random_contrasts(config.contrasts), *patient.random_scanners(config.scanners)]
    for draw, volume in enumerate(volumes):
        for k in range(labels.shape[2]):
            flat = np.ascontiguousarray(labels[:, :, k].T)
            yield TrainingSlice(
                f"{kind.name}/{seed}/{k}/{draw}",
                seed,
                kind.name,
                to_grey(volume[:, :, k].T),
                flat,
                known_classes(kind.protocol, flat),
                _points(patient, kind, levels, k),
                group=f"{kind.name}/{seed}/{draw}",
                position=k,
            )


def training_labels(
    label_array: NDArray[np.uint8], tissue: NDArray[np.uint8], palette: Palette
) -> NDArray[np.uint8]:
    """Return labels of ``data.CLASSES`` of a painted patient.

    The lumbar phantom numbers its cord as part of the canal, and the disc under a lumbarised S1 as sacrum: the
    tissue tells them, the cord as itself, that disc as unknown.

    Args:
        label_array: Numbers of ``anatomy/codes.csv``.
        tissue: Tissue numbers, of the same shape.
        palette: Names them.
    """
    result = class_labels(label_array)
    is_cord = tissue == palette.number("cord")
    result[is_cord & (result == class_number("spinal_canal"))] = class_number("spinal_cord")
    if "disc_S1-S2" in palette.names:
        is_odd_disc = tissue == palette.number("disc_S1-S2")
        result[is_odd_disc & (result == class_number("sacrum"))] = UNKNOWN
    return result


def class_labels(label_array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return labels of ``data.CLASSES`` of numbers of ``anatomy/codes.csv``."""
    result = np.zeros_like(label_array)
    result[(label_array >= 1) & (label_array <= len(VERTEBRAE))] = class_number("vertebra")
    result[label_array > _FIRST_DISC_LABEL] = class_number("disc")
    for structure, name in _CLASS_OF.items():
        result[label_array == STRUCTURES[structure].label] = class_number(name)
    return result


def _tissue(patient: PaintedPatient) -> NDArray[np.uint8]:
    """Return the tissue numbers at the voxel centres, (I, J, K)."""
    canvas = patient.painted.canvas
    return canvas.tissue[:, :, canvas.grid.sub_slices // 2 :: canvas.grid.sub_slices]


def known_classes(protocol: str, labels: NDArray[np.uint8]) -> tuple[bool, ...]:
    """Return which of ``data.CLASSES`` a slice's labels show wherever they would be seen."""
    has_pelvis = all((labels == class_number(name)).any() for name in ("sacrum", "ilium"))
    is_joint_drawn = protocol == "sacroiliac" or not has_pelvis
    return tuple(name != "joint_space" or is_joint_drawn for name in CLASSES)


def _asked_classes(protocol: str) -> tuple[bool, ...]:
    """Return which of ``data.CLASSES`` a protocol outlines."""
    asked = {structure.value for structure in kinds_of(load_protocol(protocol))}
    return tuple(name in asked for name in CLASSES)


def _points(
    patient: PaintedPatient, kind: PhantomKind, levels: dict[str, TruthLevel], k: int
) -> NDArray[np.float32]:
    """Return (11, 2) posterior points (x, y) in pixels where slice k lies near the middle of all its levels."""
    points = no_points()
    if not kind.points or not set(kind.points) <= set(levels):  # axial, or a transitional spine
        return points
    inverse = np.linalg.inv(patient.affine)
    places = np.array([inverse @ [*levels[name].posterior_ras_mm, 1.0] for name in kind.points])
    if (np.abs(places[:, 2] - k) * patient.row.spacing).max() > _POINTS_WITHIN_MM:
        return points
    size = (patient.row.cols, patient.row.rows)
    for name, place in zip(kind.points, places[:, :2], strict=True):
        if (place >= 0).all() and (place < size).all():
            points[LEVELS.index(name)] = place
    return points


def main() -> None:
    """Fill the cache of one kind."""
    usual = PhantomConfig()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", default=usual.kind)
    for name in ("patients", "first-seed", "slices", "contrasts", "scanners"):
        parser.add_argument(f"--{name}", type=int, default=getattr(usual, name.replace("-", "_")))
    parser.add_argument("--long-side-px", type=int, default=512, help="long side of the canonical grid")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    values = vars(parser.parse_args())
    cache_dir, side = values.pop("cache"), values.pop("long_side_px")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = PhantomConfig(**values)
    slices = load_phantom_slices(config, cache_dir, side)
    logger.info("%s: %d slices in %s", config.kind, len(slices), cache_file(config, cache_dir, side))


if __name__ == "__main__":
    main()
