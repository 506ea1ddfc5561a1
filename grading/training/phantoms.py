"""Phantoms as training cases: what real gradings do not tell, from made-up patients in the scanners of many
hospitals.

A patient is drawn and scanned once: a share of them by the usual setup, the others with drawn grid, timing, field,
noise and faults (``configs/phantom/scanners.yaml``; each series keeps its weighting). Windows are laid where a
reading finds the points on average, which training then jitters as a reading scatters them. Seeds from 900,000 on
belong to the frozen test sets.

Run ``python -m grading.training.phantoms --config configs/grading/train_lumbar.yaml`` to fill the cache of a
training file; a run that was broken off goes on where it stopped.
"""

import argparse
import hashlib
import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anatomy import SCALES
from grading.config import GraderConfig
from grading.heads import label_columns
from grading.training.cases import Case, CaseSlice, CaseWindows
from grading.training.config import PhantomConfig, load_run_config
from grading.training.cutting import CaseSeries, case_slices, case_windows
from grading.views import SIDES, LevelFrame, level_frames
from imaging.phantom.build import phantom_of
from imaging.phantom.scan.scanners import draw_scanner
from imaging.phantom.scene import build_scene
from imaging.phantom.setup import SeriesRow, Setup, load_setup
from imaging.phantom.tissues import Palette
from imaging.phantom.types import Phantom
from runtime.errors import ConfigError

logger = logging.getLogger(__name__)

FIRST_FROZEN_SEED = 900_000
COMPRESSION = "cord_compression"
VERSION = 1  # of what is stored; a change of the code below needs a new one
_PART_PATIENTS = 10


def phantom_cases(config: GraderConfig, phantoms: PhantomConfig, cache_dir: Path) -> tuple[Case, ...]:
    """Return the cases of made-up patients, from the cache where they are there, else drawn and cached.

    Raises:
        ConfigError: If a seed belongs to the frozen test sets.
    """
    if phantoms.first_seed + phantoms.patients > FIRST_FROZEN_SEED:
        raise ConfigError(
            f"training.phantoms: expected seeds below {FIRST_FROZEN_SEED} (the rest are test sets), got up to "
            f"{phantoms.first_seed + phantoms.patients - 1}"
        )
    cases: list[Case] = []
    for start in range(0, phantoms.patients, _PART_PATIENTS):
        first = phantoms.first_seed + start
        seeds = range(first, first + min(_PART_PATIENTS, phantoms.patients - start))
        file = _part_file(config, phantoms, cache_dir, seeds)
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            drawn = [case for seed in seeds if (case := draw_case(seed, config, phantoms)) is not None]
            _write(drawn, file)
            logger.info("%s phantoms: %d of %d", config.region, start + len(seeds), phantoms.patients)
        cases += _read(file)
    return tuple(cases)


def draw_case(seed: int, config: GraderConfig, phantoms: PhantomConfig) -> Case | None:
    """Draw and scan one made-up patient; None where too few levels are in the field of view."""
    setup = varied_setup(load_setup(f"setup_{config.region}"), seed, phantoms.varied_share)
    palette = Palette()
    phantom = phantom_of(build_scene(setup, seed=seed, palette=palette), palette, setup, seed=seed)
    frames = level_frames(
        {level.name: level.posterior_ras_mm for level in phantom.levels if level.name in config.network.levels}
    )
    if len(frames) < 2:
        return None
    found = {"front": phantoms.found_front, "down": phantoms.found_down}
    frames = {name: frame.moved(**found) for name, frame in frames.items()}
    series = [CaseSeries(item.plane, item.sequence.value, item.array, item.affine) for item in phantom.series]
    return Case(
        patient=seed,
        slices=tuple(case_slices(series, frames, config, f"phantom {seed}")),
        labels=phantom_labels(phantom, config, phantoms),
        windows={view.name: case_windows(series, frames, view, config) for view in config.views},
        boxes=_boxes(phantom, frames, config),
    )


def varied_setup(setup: Setup, seed: int, share: float) -> Setup:
    """Return the setup, or for a share of the seeds one with drawn grid, timing, scanner and faults."""
    rng = np.random.default_rng((seed, 60))
    if rng.random() >= share:
        return setup
    scanner, rows = setup, []
    for row in setup.series:
        drawn, scanner = draw_scanner(_varied_grid(row, rng), setup, rng, sequence=row.sequence)
        rows.append(drawn)
    return replace(scanner, series=tuple(rows))


def _varied_grid(row: SeriesRow, rng: np.random.Generator) -> SeriesRow:
    """Return a series of the same field of view on finer or coarser pixels and slices (ranges ours)."""
    pixel, spacing = row.pixel * rng.uniform(0.8, 1.2), row.spacing * rng.uniform(0.8, 1.15)
    return replace(
        row,
        pixel=pixel,
        rows=16 * round(row.rows * row.pixel / pixel / 16),
        cols=16 * round(row.cols * row.pixel / pixel / 16),
        slices=0 if row.slices == 0 else round(row.slices * row.spacing / spacing),
        spacing=spacing,
        thickness=spacing * rng.uniform(0.75, 1.0),
    )


def phantom_labels(phantom: Phantom, config: GraderConfig, phantoms: PhantomConfig) -> NDArray[np.int64]:
    """Return the steps (L, columns) of what phantoms teach; -1 elsewhere."""
    columns, levels = label_columns(config.heads), config.network.levels
    labels = np.full((len(levels), sum(map(len, columns.values()))), -1, dtype=np.int64)
    heads = {
        (head.condition, head.scale): head
        for head in config.heads
        if phantoms.teaches == "all" or not head.is_real
    }
    for grade in phantom.grades:
        head = heads.get((grade.condition, grade.scale))
        if head is None or grade.level not in levels:
            continue
        side = 0 if not head.is_sided or grade.side is None else SIDES.index(grade.side)
        column = columns[head.key][side]
        labels[levels.index(grade.level), column] = SCALES[grade.scale].grades.index(grade.grade)
    return labels


def _boxes(phantom: Phantom, frames: dict[str, LevelFrame], config: GraderConfig) -> NDArray[np.float32]:
    """Return (L, 4) boxes of cord compression, as the network lays them on a sagittal slice; NaN elsewhere."""
    boxes = np.full((len(config.network.levels), 4), np.nan, dtype=np.float32)
    for box in phantom.boxes:
        if box.label == COMPRESSION and box.level in frames:
            frame = frames[box.level]
            (_, back, low), (_, front, high) = box.low_ras_mm, box.high_ras_mm
            left, top = frame.origin[1] - front, frame.origin[2] - high
            right, bottom = frame.origin[1] - back, frame.origin[2] - low
            edges = np.array([left, top, right, bottom]) / frame.pitch_mm
            boxes[config.network.levels.index(box.level)] = edges
    return boxes


def _part_file(config: GraderConfig, phantoms: PhantomConfig, cache_dir: Path, seeds: range) -> Path:
    """Return where some patients are stored, told apart by all that they are made of."""
    scene = build_scene(load_setup(f"setup_{config.region}"), seed=seeds.start, palette=Palette())
    key = [
        VERSION,
        scene.version,
        config.region,
        asdict(config.crops),
        config.network.sequences,
        config.network.levels,
        [asdict(view) for view in config.views],
        [head.key for head in config.heads],
        asdict(replace(phantoms, patients=0, first_seed=0)),
    ]
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
    return cache_dir / f"grading_{config.region}_{name}" / f"{seeds.start}_{len(seeds)}.npz"


def _write(cases: list[Case], file: Path) -> None:
    arrays: dict[str, NDArray[Any]] = {}
    table = []
    for number, case in enumerate(cases):
        slices = []
        for index, item in enumerate(case.slices):
            arrays[f"{number}/slice{index}"] = np.asarray(item.image, dtype=np.uint8)
            slices.append({"sequence": item.sequence, "file": item.file, "points": item.points})
        for name, windows in case.windows.items():
            arrays[f"{number}/{name}"], arrays[f"{number}/{name}/present"] = windows.images, windows.present
        arrays[f"{number}/labels"] = case.labels
        if case.boxes is not None:
            arrays[f"{number}/boxes"] = case.boxes
        table.append({"patient": case.patient, "slices": slices, "views": list(case.windows)})
    partial = file.with_suffix(".part.npz")
    np.savez_compressed(partial, table=np.array(json.dumps(table)), **arrays)  # type: ignore[arg-type]
    partial.replace(file)


def _read(file: Path) -> list[Case]:
    with np.load(file) as stored:
        arrays = {key: stored[key] for key in stored.files}
    return [
        Case(
            patient=row["patient"],
            slices=tuple(
                CaseSlice(
                    item["sequence"],
                    item["file"],
                    arrays[f"{number}/slice{index}"],
                    {level: (point[0], point[1]) for level, point in item["points"].items()},
                )
                for index, item in enumerate(row["slices"])
            ),
            labels=arrays[f"{number}/labels"],
            boxes=arrays.get(f"{number}/boxes"),
            windows={
                name: CaseWindows(arrays[f"{number}/{name}"], arrays[f"{number}/{name}/present"])
                for name in row["views"]
            },
        )
        for number, row in enumerate(json.loads(str(arrays["table"])))
    ]


def main() -> None:
    """Fill the cache of a training file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="training file with training.phantoms")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    run = load_run_config(options.config)
    cases = phantom_cases(run.grader, run.training.phantoms, options.cache)
    logger.info("%d made-up patients", len(cases))


if __name__ == "__main__":
    main()
