"""Phantoms as training cases of the sacroiliac grader: both series around the joints, outlines, the whole truth.

Drawn once, kept in part files under the cache folder: a run that was broken off goes on where it stopped.
``python -m grading.joints.training.phantoms`` fills the cache.
"""

import argparse
import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anatomy import SCALES
from anatomy.sacroiliac import STRUCTURAL
from grading.joints.frames import locate_joints
from grading.joints.training.cohorts import Cohort, load_cohorts, setup_of
from imaging.phantom.build import take_series
from imaging.phantom.sacroiliac.bones import ILIUM, JOINT, SACRUM
from imaging.phantom.sacroiliac.rules import (
    JointFacts,
    is_asas_positive,
    slice_scores,
    stage_of,
    structural_lesions,
)
from imaging.phantom.sacroiliac.scene import build_scene
from imaging.phantom.sacroiliac.truth import joint_facts
from imaging.phantom.tables import phantom_file, read_yaml
from imaging.phantom.tissues import Palette
from imaging.phantom.types import PhantomSeries
from imaging.types import AffineMatrix
from segmentation.types import LabelArray

logger = logging.getLogger(__name__)

_VERSION = 2  # of what is stored; a change of the code below needs a new one
CACHE = Path("runs/cache/sacroiliac")
_ALONG_MM, _ACROSS_MM, _DEPTH_MM = 54.0, 29.0, 18.0
"""What is kept around the middle of a joint in the plane: a crop reaches 42 and 22 mm, jitter and a turn some
more."""
_SEEN_MM2 = (3.0, 10.0, 10.0, 6.0, 3.0)
"""Area from which a slice shows each of ``STRUCTURAL``; own choice, to teach where lesions are."""
_STAGES = SCALES["as_stage"].grades


@dataclass(frozen=True, eq=False)
class JointCase:
    """One made-up patient. Sides are left, then right; K slices.

    Attributes:
        seed: Patient.
        cohort: Name of the cohort.
        affine: (4, 4) voxel (i, j, k) of ``stir`` -> RAS+ mm.
        stir: (I, J, K) float16 intensities around the joints.
        t1: (I, J, K) the same place on T1, float16.
        labels: (I, J, K) uint8, sacrum, ilia and joint spaces, numbers of ``anatomy/codes.csv``.
        items: (2, K, 13) bool: ``grading.joints.model.SLICE_ITEMS``.
        structural: (2, 5) bool: ``anatomy.sacroiliac.STRUCTURAL``.
        stages: (2,) steps of ``as_stage``.
        status: 1 where either joint is positive by ASAS.
    """

    seed: int
    cohort: str
    affine: AffineMatrix
    stir: NDArray[np.float16]
    t1: NDArray[np.float16]
    labels: NDArray[np.uint8]
    items: NDArray[np.bool_]
    structural: NDArray[np.bool_]
    stages: NDArray[np.int64]
    status: int


def draw_case(cohort: Cohort, seed: int) -> JointCase:
    """Draw, scan and measure one patient."""
    setup, palette = setup_of(cohort, seed), Palette()
    scene = build_scene(setup, seed=seed, palette=palette)
    series = {item.sequence.value: item for item in take_series(scene, palette, setup, seed)}
    row = next(item for item in setup.series if item.sequence == "stir")
    rules = scene.pelvis.tables.rules
    facts = joint_facts(scene.pelvis, palette, row)
    stir = series["stir"]
    labels = _joint_labels(stir)
    window, affine = _window(labels, stir.affine)
    return JointCase(
        seed=seed,
        cohort=cohort.name,
        affine=affine,
        stir=stir.array[window].astype(np.float16),
        t1=series["t1"].array[window].astype(np.float16),
        labels=labels[window],
        items=np.stack([_items(fact, rules["sparcc"]) for fact in facts]),
        structural=np.array([[structural_lesions(fact, rules)[name] for name in STRUCTURAL] for fact in facts]),
        stages=np.array([_STAGES.index(stage_of(fact, rules)) for fact in facts], dtype=np.int64),
        status=int(any(is_asas_positive(fact, rules) for fact in facts)),
    )


def _items(fact: JointFacts, rule: dict[str, float]) -> NDArray[np.bool_]:
    """Return (K, 13)."""
    several = fact.lesions_per_slice >= 2
    seen = fact.structural_mm2 >= _SEEN_MM2
    return np.column_stack([slice_scores(fact, rule), several, fact.is_joint_slice, seen]).astype(bool)


def _joint_labels(series: PhantomSeries) -> NDArray[np.uint8]:
    kept = (SACRUM, *ILIUM.values(), *JOINT.values())
    return np.where(np.isin(series.label_array, kept), series.label_array, 0).astype(np.uint8)


def _window(labels: LabelArray, affine: AffineMatrix) -> tuple[tuple[slice, slice, slice], AffineMatrix]:
    """Return where the joints lie in the plane, with a margin, on all slices; and the affine of that part."""
    inverse = np.linalg.inv(affine)
    corners = [
        frame.origin + along * frame.along + across * frame.across + deep * frame.through
        for frame in locate_joints([(labels, affine)], affine).values()
        for along in (-_ALONG_MM, _ALONG_MM)
        for across in (-_ACROSS_MM, _ACROSS_MM)
        for deep in (-_DEPTH_MM, _DEPTH_MM)
    ]
    pixels = (np.array(corners) @ inverse[:3, :3].T + inverse[:3, 3])[:, :2]
    low = np.maximum(np.floor(pixels.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + 1, labels.shape[:2])
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :2] @ low
    return (slice(low[0], high[0]), slice(low[1], high[1]), slice(None)), moved


def load_cases(folder: Path = CACHE, *, only_cached: bool = False) -> list[JointCase]:
    """Return all cases of the cohort table, drawing what is not cached yet.

    Args:
        folder: Of the part files.
        only_cached: Leave out what is not there.
    """
    return [case for part in parts(folder, only_cached=only_cached) for case in read_part(part)]


def parts(folder: Path = CACHE, *, only_cached: bool = False) -> Iterator[Path]:
    """Yield the part files, cohorts in turn, drawing those that are missing."""
    table = load_cohorts()
    most = max(cohort.count for cohort in table.cohorts)
    for start in range(0, most, table.block):
        for cohort in table.cohorts:
            seeds = range(cohort.first_seed + start, cohort.first_seed + min(start + table.block, cohort.count))
            if not seeds:
                continue
            file = folder / f"{cohort.name}_{start:04d}_{_key(cohort)}.npz"
            if not file.is_file():
                if only_cached:
                    continue
                write_part([draw_case(cohort, seed) for seed in seeds], file)
                logger.info("drew %s, patients %d to %d", cohort.name, start, start + len(seeds) - 1)
            yield file


def _key(cohort: Cohort) -> str:
    """Return what tells caches apart: cohort, ranges and the versions of the phantom's tables."""
    table = load_cohorts()
    drawn = [read_yaml(phantom_file(name))["version"] for name in ("sacroiliac", "tissues", "scanners")]
    key = json.dumps([_VERSION, _drawn_from(cohort), dict(table.varied) if cohort.is_varied else {}, drawn])
    return hashlib.sha256(key.encode()).hexdigest()[:10]


def _drawn_from(cohort: Cohort) -> dict[str, Any]:
    return {"first_seed": cohort.first_seed, "is_varied": cohort.is_varied, "anatomy": dict(cohort.anatomy)}


def write_part(cases: list[JointCase], file: Path) -> None:
    """Write cases, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"{case.seed}/{item.name}": getattr(case, item.name) for case in cases for item in fields(case)}
    partial = file.with_suffix(".part")
    with partial.open("wb") as stream:
        np.savez(stream, **arrays)
    partial.replace(file)


def read_part(file: Path) -> list[JointCase]:
    """Read what ``write_part`` wrote."""
    with np.load(file) as stored:
        seeds = dict.fromkeys(key.split("/")[0] for key in stored.files)
        tables = [{item.name: stored[f"{seed}/{item.name}"] for item in fields(JointCase)} for seed in seeds]
    plain = {"seed": int, "cohort": str, "status": int}
    return [
        JointCase(**{name: plain[name](value) if name in plain else value for name, value in table.items()})
        for table in tables
    ]


def main() -> None:
    """Fill the cache."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=CACHE)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for file in parts(options.folder):
        logger.info("%s", file.name)


if __name__ == "__main__":
    main()
