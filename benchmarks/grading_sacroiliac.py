"""How well sacroiliitis is graded on phantoms that no training saw, end to end through the segmenter.

python -m benchmarks.grading_sacroiliac [--setup test_sacroiliac ...] [--count N] [--weights NAME]

Every figure is a phantom figure: made-up patients of the frozen test sets (seeds 910000.. and 920000..), read
from their pictures by the shipped segmentation and grading. 95 % intervals by bootstrap over patients. What
could not be graded counts as wrong. Rows are kept patient by patient in ``runs/benchmarks``, so that a run that
was broken off goes on.

The joint's outline is scored twice: the joint space (2 mm wide) as segmentation outlines it, and the joint's
region, the band of 10 mm on both sides of the joint (SPARCC's limit of deep oedema) as the grader lays it from
those outlines.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anatomy import SCALES, Condition, Side, load_protocol
from evaluation.bootstrap import Interval, bootstrap_by_patient
from evaluation.grading import quadratic_kappa
from grading import JointGrader
from grading.joints.frames import BAND_MM, SIDES, JointFrame, frame_band
from grading.joints.grades import RULE, SPARCC, STAGE, STATUS
from grading.joints.inputs import gather_joints
from grading.types import Findings
from imaging.phantom import Phantom, PhantomSeries, build_phantom
from imaging.phantom.memory import study_in_memory
from imaging.phantom.sacroiliac.bones import JOINT
from imaging.phantom.sacroiliac.truth import LEVEL_SCORE
from imaging.phantom.setup import load_setup
from imaging.types import Study
from runtime.device import use_threads
from segmentation import Segmenter
from segmentation.types import LabelArray, SegmentedStudy

SETS = ("test_sacroiliac", "test_sacroiliac_shifted")
OUT = Path("runs/benchmarks")
STAGES, NONE = SCALES[STAGE].grades, "not_assessable"
TARGETS = {
    "binary accuracy": 0.967,
    "stage accuracy": 0.822,
    "recall of early": 0.6,
    "IoU of the joint's region": 0.57,
}
"""What issue 5 asks for."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Row:
    """One patient: truth first, then what was read. Sides are left, right."""

    seed: int
    status: str
    stages: tuple[str, ...]
    sparcc: float
    found_status: str
    found_rule: str
    found_stages: tuple[str, ...]
    status_set: tuple[str, ...]
    stage_sets: tuple[tuple[str, ...], ...]
    found_sparcc: float | None
    space_iou: tuple[float | None, ...]
    region_iou: tuple[float | None, ...]
    segmentation_s: float
    grading_s: float


@dataclass(frozen=True, eq=False)
class Outlined:
    """One patient, drawn and outlined: what takes the time."""

    setup: str
    phantom: Phantom
    study: Study
    segmented: SegmentedStudy
    seconds: float


def outline_patient(seed: int, setup: str, segmenter: Segmenter) -> Outlined:
    """Draw one patient and outline it."""
    phantom = build_phantom("sacroiliac", seed=seed, setup=setup)
    study = study_in_memory(phantom.name, phantom.protocol, phantom.series)
    start = time.perf_counter()
    segmented = segmenter.segment_study(study, load_protocol("sacroiliac"))
    return Outlined(setup, phantom, study, segmented, time.perf_counter() - start)


def grade_patient(outlined: Outlined, grader: JointGrader) -> Row:
    """Grade an outlined patient and put the truth beside it."""
    phantom, study, segmented = outlined.phantom, outlined.study, outlined.segmented
    start = time.perf_counter()
    findings = grader.grade(study, segmented, load_protocol("sacroiliac"))
    seconds = time.perf_counter() - start
    joints = gather_joints(study, segmented, grader.config.crops).joints
    stir = phantom.series_by_role("coronal_stir")
    grades = {(item.scale, item.side): item for item in findings.grades}
    status, by_side = grades[STATUS, None], [grades[STAGE, side] for side in SIDES]
    rule = grades.get((RULE, None))
    return Row(
        seed=phantom.seed,
        status=phantom.grade(Condition.SACROILIITIS, "SIJ"),
        stages=tuple(phantom.grade(Condition.SACROILIITIS, "SIJ", side) for side in SIDES),
        sparcc=phantom.measurement(LEVEL_SCORE, "SIJ"),
        found_status=status.grade or NONE,
        found_rule=NONE if rule is None else rule.grade or NONE,
        found_stages=tuple(item.grade or NONE for item in by_side),
        status_set=status.prediction_set,
        stage_sets=tuple(item.prediction_set for item in by_side),
        found_sparcc=_score(findings),
        space_iou=tuple(_space_iou(study, segmented, phantom, role) for role in ("coronal_stir", "coronal_t1")),
        region_iou=tuple(
            _region_iou(stir, joints[side].frame if side in joints else None, side) for side in SIDES
        ),
        segmentation_s=outlined.seconds,
        grading_s=seconds,
    )


def _score(findings: Findings) -> float | None:
    return next((item.value for item in findings.measurements if item.name == SPARCC), None)


def _space_iou(study: Study, segmented: SegmentedStudy, phantom: Phantom, role: str) -> float | None:
    """Return the IoU of both joint spaces on one series; None where there is none to outline."""
    series, truth = study.series_by_role(role), phantom.series_by_role(role).label_array
    outlined = None if series is None else segmented.label_map(series.id)
    numbers = tuple(JOINT.values())
    drawn = np.isin(truth, numbers)
    found: LabelArray = np.zeros_like(truth) if outlined is None else outlined.array
    return _iou(np.isin(found, numbers), drawn) if drawn.any() else None


def _region_iou(stir: PhantomSeries, frame: JointFrame | None, side: Side) -> float | None:
    """Return the IoU of the joint's band on the slices that show its space; None where it is fused."""
    space = stir.label_array == JOINT[side]
    slices = np.flatnonzero(space.any(axis=(0, 1)))
    if not len(slices):
        return None
    mm = np.linalg.norm(stir.affine[:3, :2], axis=0)
    drawn = np.stack(
        [ndimage.distance_transform_edt(~space[:, :, k], sampling=mm) <= BAND_MM for k in slices], axis=2
    )
    if frame is None:
        return 0.0
    return _iou(frame_band(frame, stir.affine, space.shape, slices), drawn)


def _iou(found: Mask, drawn: Mask) -> float:
    return float((found & drawn).sum() / max(int((found | drawn).sum()), 1))


def read_set(
    setup: str, segmenter: Segmenter, grader: JointGrader, *, count: int | None, folder: Path
) -> list[Row]:
    """Read a frozen set, going on with what is kept of the same weights."""
    seeds = load_setup(setup).seeds
    file = folder / f"grading_{setup}_{segmenter.checksum[:8]}_{grader.checksum[:8]}.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    kept = {row["seed"]: Row(**row) for row in map(json.loads, lines)}
    wanted = range(seeds["first"], seeds["first"] + min(seeds["count"], count or seeds["count"]))
    for seed in wanted:
        if seed not in kept:
            kept[seed] = grade_patient(outline_patient(seed, setup, segmenter), grader)
            with file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(asdict(kept[seed])) + "\n")
    return [kept[seed] for seed in wanted]


def figures(rows: list[Row]) -> dict[str, Interval]:
    """Return every figure with its interval."""
    patients = [row.seed for row in rows]
    joints = [(row, side) for row in rows for side in range(len(SIDES))]
    owners = [row.seed for row, _ in joints]
    found: dict[str, Interval] = {}

    def add(name: str, names: list[int], values: list[float | None]) -> None:
        known = [(seed, value) for seed, value in zip(names, values, strict=True) if value is not None]
        if known:
            numbers = np.array([value for _, value in known], dtype=float)
            found[name] = bootstrap_by_patient([seed for seed, _ in known], _mean_of(numbers))

    add("binary accuracy", patients, [float(row.found_status == row.status) for row in rows])
    add("binary accuracy by the ASAS rule", patients, [float(row.found_rule == row.status) for row in rows])
    add("stage accuracy", owners, [float(row.found_stages[side] == row.stages[side]) for row, side in joints])
    for stage in STAGES:
        hits = [_hit(row.found_stages[side], row.stages[side], stage) for row, side in joints]
        add(f"recall of {stage}", owners, hits)
    found["stage kappa"] = bootstrap_by_patient(owners, _kappa_of(joints))
    for grade in SCALES[STATUS].grades:
        add(f"coverage of {grade}", patients, [_held(row.status_set, row.status, grade) for row in rows])
    for stage in STAGES:
        held = [_held(row.stage_sets[side], row.stages[side], stage) for row, side in joints]
        add(f"coverage of {stage}", owners, held)
    add("stages in a set", owners, [float(len(row.stage_sets[side])) for row, side in joints])
    errors = [None if row.found_sparcc is None else row.found_sparcc - row.sparcc for row in rows]
    add("SPARCC mean absolute error", patients, [None if value is None else abs(value) for value in errors])
    add("SPARCC mean error", patients, errors)
    add("IoU of the joint space on STIR", patients, [row.space_iou[0] for row in rows])
    add("IoU of the joint space on T1", patients, [row.space_iou[1] for row in rows])
    add("IoU of the joint's region", owners, [row.region_iou[side] for row, side in joints])
    add("seconds of segmentation", patients, [row.segmentation_s for row in rows])
    add("seconds of grading", patients, [row.grading_s for row in rows])
    return found


def _mean_of(values: NDArray[np.float64]) -> Callable[[NDArray[np.intp]], float]:
    return lambda rows: float(values[rows].mean())


def _hit(found: str, truth: str, step: str) -> float | None:
    return float(found == truth) if truth == step else None


def _held(kept: tuple[str, ...], truth: str, step: str) -> float | None:
    return float(truth in kept) if truth == step else None


def _kappa_of(joints: list[tuple[Row, int]]) -> Callable[[NDArray[np.intp]], float]:
    graded = [row.found_stages[side] if row.found_stages[side] in STAGES else STAGES[0] for row, side in joints]
    named = np.array([STAGES.index(stage) for stage in graded], dtype=np.int64)
    truth = np.array([STAGES.index(row.stages[side]) for row, side in joints], dtype=np.int64)
    return lambda rows: quadratic_kappa(truth[rows], named[rows], steps=len(STAGES))


def confusion(rows: list[Row]) -> list[list[int]]:
    """Return true by found stage; the last column is what was not assessable."""
    names = (*STAGES, NONE)
    table = np.zeros((len(STAGES), len(names)), dtype=int)
    for row in rows:
        for truth, found in zip(row.stages, row.found_stages, strict=True):
            table[STAGES.index(truth), names.index(found)] += 1
    return [[int(count) for count in line] for line in table]


def table_text(setup: str, rows: list[Row], found: dict[str, Interval]) -> Iterator[str]:
    """Yield a Markdown table of one set."""
    yield f"### {setup}: {len(rows)} phantoms"
    yield ""
    yield "| figure (phantom) | value (95 % interval) | asked for |"
    yield "|---|---|---|"
    for name, value in found.items():
        yield f"| {name} | {value} | {TARGETS.get(name, '')} |"
    yield ""
    yield "| true stage | " + " | ".join((*STAGES, NONE)) + " |"
    yield "|---" * (len(STAGES) + 2) + "|"
    for stage, counts in zip(STAGES, confusion(rows), strict=True):
        yield f"| {stage} | " + " | ".join(map(str, counts)) + " |"
    yield ""


def main() -> None:
    """Read, score, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--count", type=int, default=None, help="patients of each set, from its first seed")
    parser.add_argument("--weights", default="grading-sacroiliac", help="model folder by name, or a path to one")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    use_threads(options.threads)
    path = Path(options.weights)
    root = path.parent if len(path.parts) > 1 else None
    grader = JointGrader.load(weights_root=root, name=path.name, device="cpu")
    segmenter = Segmenter.load(name=load_protocol("sacroiliac").weights["segmentation"], device="cpu")
    report: dict[str, Any] = {"segmentation": segmenter.checksum, "grading": grader.checksum}
    for setup in options.setup:
        rows = read_set(setup, segmenter, grader, count=options.count, folder=options.out)
        found = figures(rows)
        print("\n".join(table_text(setup, rows, found)))
        report[setup] = {name: asdict(value) for name, value in found.items()} | {"confusion": confusion(rows)}
    file = options.out / "grading_sacroiliac.json"
    file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
