"""Do maps of the sacroiliac network look where they should, and hang on what was learnt? On phantoms it never saw.

    python -m benchmarks.saliency_joints [--count 24]

Every figure is a phantom figure. Seeds from 420000 (of no training and no frozen set); the first so many patients
that are positive. The drawn outlines stand for the segmentation, so that its errors are no part of the figures.
Per grade (the patient's status, stages of joints with and without a lesion) and method, over all slices that were
read, with 95 % bootstrap intervals over patients:

- energy share: of the heat, how much lies within 10 mm of the joint (SPARCC's limit of deep oedema); beside it
  that band's share of the window and the energy share of a network with all weights drawn anew;
- oedema share, of the status: of the heat, how much lies in the box of drawn oedema, and the box's share of the
  windows; side share: how much lies on the side with oedema where only one has any (0.5 without any aim);
- randomisation and deletion as in ``benchmarks.saliency``.

Prints Markdown tables; rows are kept in ``runs/benchmarks``, so that a run that was broken off goes on.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from anatomy import SCALES, SIJ, Condition, Side, load_protocol
from benchmarks.saliency import deletion
from benchmarks.saliency_figures import interval_of, less, table_text
from evaluation.bootstrap import Interval
from grading import JointGrader
from grading.joints.build import build_joint_network
from grading.joints.frames import SIDES
from grading.joints.inputs import GatheredJoints, gather_joints
from grading.joints.model import JointInputs, JointNetwork
from grading.saliency import Saliency, SaliencyMethod
from grading.saliency.explain import lay_joint_heats
from grading.saliency.joints import joint_heats, joint_score, joint_windows
from grading.saliency.place import Mask, window_mask
from grading.saliency.randomise import STAGES, Likeness, compare, randomised
from grading.saliency.windows import HeatWindow, StudyWindows
from grading.types import Findings, Grade
from imaging.phantom import Phantom, build_phantom
from imaging.phantom.memory import study_in_memory
from imaging.phantom.types import TruthBox
from imaging.types import Series, Study
from runtime.device import use_threads
from segmentation.types import LabelMap, Level, SegmentedStudy

FIRST_SEED, COUNT = 420000, 24
OEDEMA = "bone_marrow_oedema"
OUT = Path("runs/benchmarks")
STATUS, CHANGED, NORMAL = "status", "stage of a changed joint", "stage of a normal joint"


@dataclass(frozen=True)
class Row:
    """The maps of one grade over all slices that it rests on; what is unknown is None."""

    patient: int
    grade: str
    named: str
    method: str
    energy_share: float | None
    area_share: float
    random_energy_share: float | None
    oedema_share: float | None
    oedema_area: float | None
    side_share: float | None
    fall: float
    fall_elsewhere: float
    likeness: dict[str, Likeness]


@dataclass(frozen=True, eq=False)
class Case:
    """One phantom with its drawn outlines, located and graded."""

    phantom: Phantom
    study: Study
    segmented: SegmentedStudy
    gathered: GatheredJoints
    findings: Findings


def is_positive(phantom: Phantom) -> bool:
    """Tell whether the patient was drawn with a positive MRI."""
    return phantom.grade(Condition.SACROILIITIS, SIJ) == SCALES["as_status"].grades[1]


def case_of(phantom: Phantom, grader: JointGrader) -> Case:
    """Grade a phantom by its drawn outlines."""
    study = study_in_memory(phantom.name, phantom.protocol, phantom.series)
    outlines = tuple(
        LabelMap(series.id, drawn.label_array) for series, drawn in zip(study.series, phantom.series, strict=True)
    )
    segmented = SegmentedStudy(outlines, study.series[0].id, (_level(study.series[0]),), {}, ())
    findings = grader.grade(study, segmented, load_protocol("sacroiliac"))
    return Case(phantom, study, segmented, gather_joints(study, segmented, grader.config.crops), findings)


def _level(series: Series) -> Level:
    """Return the level that a segmented pelvis has; nothing of it but its name is looked at."""
    columns, rows, slices = series.volume.shape
    middle = (columns / 2, rows / 2)
    return Level(SIJ, series.id, slices // 2, middle, middle, None, 0.0, 1.0, 1.0)


def drawn_anew(grader: JointGrader, seed: int) -> dict[str, JointNetwork]:
    """Return a network a stage of the cascade; each patient has a draw of its own."""
    networks = {}
    for stage in STAGES:
        torch.manual_seed(seed)
        networks[stage] = randomised(grader.network, build_joint_network(grader.config.network), stage)
    return networks


def judge_case(case: Case, grader: JointGrader) -> Iterator[Row]:
    """Yield a row for every grade that the network gave, and each method."""
    windows = joint_windows(grader, case.gathered)
    drawn, rng = drawn_anew(grader, case.phantom.seed), np.random.default_rng(case.phantom.seed)
    lay = partial(lay_joint_heats, gathered=case.gathered, study=case.study, segmented=case.segmented)
    for grade in case.findings.grades:
        if not grade.probabilities:
            continue
        for method in SaliencyMethod:
            found = joint_heats([grader.network], windows, grade, method)
            others = {stage: joint_heats([item], windows, grade, method) for stage, item in drawn.items()}
            shown, null = (lay(heats, heats, grade, method=method) for heats in (found, others[list(STAGES)[-1]]))
            fall, elsewhere = _fall(grader, windows, grade, found, rng)
            oedema, area = _oedema(case, grade, shown, found)
            yield Row(
                patient=case.phantom.seed,
                grade=_group(case.phantom, grade),
                named=str(grade.grade),
                method=method.value,
                energy_share=_share(shown),
                area_share=float(np.mean([item.area_share for item in shown])),
                random_energy_share=_share(null),
                oedema_share=oedema,
                oedema_area=area,
                side_share=_side_share(case.phantom, grade, shown),
                fall=fall,
                fall_elsewhere=elsewhere,
                likeness={stage: _likeness(found, other) for stage, other in others.items()},
            )


def _group(phantom: Phantom, grade: Grade) -> str:
    if grade.side is None:
        return STATUS
    drawn = phantom.grade(Condition.SACROILIITIS, SIJ, grade.side)
    return NORMAL if drawn == SCALES["as_stage"].grades[0] else CHANGED


def _share(shown: Sequence[Saliency]) -> float | None:
    """Return the share of the heat of all slices that lies in the band."""
    whole = sum(float(item.map.sum(dtype=np.float64)) for item in shown)
    inside = sum(float(item.focused_map.sum(dtype=np.float64)) for item in shown if item.focused_map is not None)
    return inside / whole if whole > 0 else None


def _oedema(
    case: Case, grade: Grade, shown: Sequence[Saliency], found: Sequence[HeatWindow]
) -> tuple[float | None, float | None]:
    """Return the share of the status' heat that lies in boxes of drawn oedema, and of the windows' area."""
    boxes = [box for box in case.phantom.boxes if box.label == OEDEMA]
    whole = sum(float(item.map.sum(dtype=np.float64)) for item in shown)
    if grade.side is not None or not boxes or whole <= 0:
        return None, None
    assert case.gathered.stir is not None
    inside = {item.slice_index: _in_boxes(boxes, case.gathered.stir, item.slice_index) for item in shown}
    hot = sum(float(item.map[inside[item.slice_index]].sum(dtype=np.float64)) for item in shown)
    covered = [(inside[item.window.slice_index], window_mask(item.window.place)) for item in found]
    return hot / whole, sum(int((box & one).sum()) for box, one in covered) / sum(
        int(one.sum()) for _, one in covered
    )


def _in_boxes(boxes: Sequence[TruthBox], series: Series, k: int) -> Mask:
    """Return which pixels (rows, columns) of a slice lie in any of the boxes."""
    affine, (columns, rows, _) = series.volume.affine, series.volume.shape
    assert affine is not None
    i, j = np.meshgrid(np.arange(columns), np.arange(rows))
    places: NDArray[np.float64] = np.stack([i, j, np.full_like(i, k)], axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    inside = [
        ((places >= np.array(box.low_ras_mm)) & (places <= np.array(box.high_ras_mm))).all(axis=-1)
        for box in boxes
    ]
    found: Mask = np.any(inside, axis=0)
    return found


def _side_share(phantom: Phantom, grade: Grade, shown: Sequence[Saliency]) -> float | None:
    """Return the share of the status' heat on the side with oedema; None where both or none have any."""
    sides: set[Side | None] = {box.side for box in phantom.boxes if box.label == OEDEMA}
    sums = {
        side: sum(float(item.map.sum(dtype=np.float64)) for item in shown if item.side is side) for side in SIDES
    }
    whole = sum(sums.values())
    if grade.side is not None or len(sides) != 1 or whole <= 0:
        return None
    return sum(sums[side] for side in SIDES if side in sides) / whole


def _likeness(found: Sequence[HeatWindow], other: Sequence[HeatWindow]) -> Likeness:
    """Return the mean likeness of the slices' maps."""
    pairs = zip(found, other, strict=True)
    each = [compare(one.cells, two.cells, one.heat, two.heat) for one, two in pairs]
    known = [item.rank_correlation for item in each if item.rank_correlation is not None]
    return Likeness(float(np.mean(known)) if known else None, float(np.mean([item.ssim for item in each])))


def _fall(
    grader: JointGrader,
    windows: StudyWindows[JointInputs],
    grade: Grade,
    found: Sequence[HeatWindow],
    rng: np.random.Generator,
) -> tuple[float, float]:
    score = joint_score(grade)

    def of_crops(crops: Tensor) -> float:
        return float(score(grader.network(windows.inputs._replace(crops=crops))))

    return deletion(of_crops, windows.inputs.crops, found, rng)


def judge(rows: Sequence[Row]) -> dict[str, Interval | None]:
    """Return the figures of one kind of grade and method."""
    figures = {
        name: interval_of(rows, [getattr(row, name) for row in rows])
        for name in ("energy_share", "area_share", "random_energy_share")
    }
    figures["above_area"] = interval_of(rows, [less(row.energy_share, row.area_share) for row in rows])
    figures["above_random"] = interval_of(rows, [less(row.energy_share, row.random_energy_share) for row in rows])
    for name in ("oedema_share", "oedema_area", "side_share"):
        figures[name] = interval_of(rows, [getattr(row, name) for row in rows])
    figures["deletion"] = interval_of(rows, [row.fall - row.fall_elsewhere for row in rows])
    for stage in STAGES:
        likeness = [row.likeness[stage] for row in rows]
        figures[f"rank: {stage}"] = interval_of(rows, [item.rank_correlation for item in likeness])
        figures[f"ssim: {stage}"] = interval_of(rows, [item.ssim for item in likeness])
    return figures


def read_rows(grader: JointGrader, wanted: int, folder: Path) -> list[Row]:
    """Judge the first positive phantoms, going on with what is kept of the same weights."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"saliency_joints_{grader.checksum[:8]}.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    kept: dict[int, list[Row]] = {
        item["seed"]: [_row(row) for row in item["rows"]] for item in map(json.loads, lines)
    }
    chosen: dict[int, list[Row]] = {}
    with tqdm(total=wanted, unit="patient", disable=None) as progress:
        for seed in count(FIRST_SEED):
            if len(chosen) == wanted:
                break
            if seed not in kept:
                phantom = build_phantom("sacroiliac", seed=seed)
                kept[seed] = list(judge_case(case_of(phantom, grader), grader)) if is_positive(phantom) else []
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps({"seed": seed, "rows": [asdict(row) for row in kept[seed]]}) + "\n")
            if kept[seed]:
                chosen[seed] = kept[seed]
                progress.update()
    return [row for rows in chosen.values() for row in rows]


def _row(table: Mapping[str, object]) -> Row:
    likeness: dict[str, dict[str, float]] = table["likeness"]  # type: ignore[assignment]
    return Row(**{**table, "likeness": {stage: Likeness(**item) for stage, item in likeness.items()}})  # type: ignore[arg-type]


def main() -> None:
    """Judge, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT, help="positive patients")
    parser.add_argument("--weights", default="grading-sacroiliac", help="model folder by name")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    use_threads(1)
    grader = JointGrader.load(name=options.weights, device="cpu")
    rows = read_rows(grader, options.count, options.out)
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.method, row.grade].append(row)
    report = {
        method.value: {name: judge(groups[method.value, name]) for name in (STATUS, CHANGED, NORMAL)}
        for method in SaliencyMethod
    }
    print(f"{len({row.patient for row in rows})} positive phantoms, {len(rows)} maps; grader {grader.checksum}\n")
    for name, figures in report.items():
        columns = list(figures[STATUS])
        print(table_text(f"{name}, phantoms: where the heat lies", figures, columns[:8]))
        print(table_text(f"{name}, phantoms: checks", figures, columns[8:]))
    content = {"grader": grader.checksum, "maps": len(rows), "figures": report}
    (options.out / "saliency_joints.json").write_text(
        json.dumps(content, indent=2, default=asdict) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main()
