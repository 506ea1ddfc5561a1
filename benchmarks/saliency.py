"""Do saliency maps look where they should, and hang on what was learnt? On patients the networks did not see.

    python -m benchmarks.saliency [--run runs/grading/lumbar/fold0 --config configs/grading/train_lumbar.yaml]
    python -m benchmarks.saliency --phantoms 8

Data: middle slices (T2 and T1) of SPIDER's patients of fold 0, whom neither the shipped segmentation nor the
shipped grading network saw. Levels and outlines are found, as in use. Without ``--run`` the shipped grader is
judged; with it one fold's networks. With ``--phantoms`` made-up patients (neither of training nor of the frozen
sets) are read instead, and grades of one side are judged by the windows of their side. Per condition and method,
with 95 % bootstrap intervals over patients:

- energy share: of the heat, how much lies in the region of ``grading/saliency/focus.yaml``; beside it the region's
  share of the crop (heat without any aim) and the energy share of a network with all weights drawn anew;
- randomisation (Adebayo et al., NeurIPS 2018): rank correlation and SSIM of the map with that of the same network
  with weights drawn anew, from the heads down, another draw for each patient. Near 1 would mean that the map shows
  the picture, not what was learnt. A new head may also turn a map over, so the size of the correlation is given
  too: of 24 cells without any relation it is 0.17 on average;
- deletion: fall of the score when the hottest fifth of the level's crops is blurred, less the fall when the same
  shape is blurred elsewhere. Above 0, the map points at what the score rests on.

Prints Markdown tables and writes ``runs/benchmarks/saliency.json``.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from tqdm import tqdm

from anatomy import SCALES, load_protocol
from anatomy import Protocol as BodyProtocol
from benchmarks.measurements import study_of
from benchmarks.saliency_figures import Row, judge, table_text
from grading import Grader
from grading.build import build_network
from grading.calibration import HeadCalibration
from grading.model import GradingInputs
from grading.saliency import Saliency, SaliencyMethod
from grading.saliency.discs import MIDLINE, disc_heats, disc_score, disc_windows, head_of
from grading.saliency.explain import lay_disc_heats
from grading.saliency.randomise import STAGES, compare, randomised
from grading.saliency.windows import HeatWindow, StudyWindows
from grading.storage import HeadTuning, StoredGrader
from grading.training.config import load_run_config
from grading.training.spider import read_rows
from grading.training.train import load_members
from grading.types import Findings, Grade
from imaging import load_study
from imaging.phantom import build_phantom
from imaging.types import Plane, Series, Spacing, Study
from imaging.types import Sequence as Weighting
from runtime.device import use_threads
from runtime.errors import NotEligibleError
from runtime.folds import spider_folds
from runtime.settings import load_settings
from segmentation import Segmenter
from segmentation.types import SegmentedStudy

FIRST_SEED = 660_000  # neither of training nor of the frozen sets
DELETED = 0.2  # ours: part of a crop that is blurred
_BLUR_PX = 8.0  # ours: wide enough to wipe out a disc of a crop (about 11 pixels high)


@dataclass(frozen=True, eq=False)
class Case:
    """One patient, segmented and graded."""

    patient: int
    study: Study
    segmented: SegmentedStudy
    findings: Findings


def open_grader(run: Path | None, config: Path) -> Grader:
    """Return the shipped grader, or one of a single fold's network without calibration, which moves no heat."""
    if run is None:
        return Grader.load(device="cpu")
    settings = load_run_config(config)
    network = settings.grader.network
    members = load_members(settings, run)
    at_hand = (*network.sequences, "+".join(network.sequences))
    tuning = {
        head.key: HeadTuning(HeadCalibration(1.0, (0.0,)), (None,) * len(head.grades))
        for head in settings.grader.heads
    }
    stored = StoredGrader(settings.grader, members, dict.fromkeys(at_hand, tuning), network.levels)
    return Grader(stored, checksum=str(run), device=torch.device("cpu"))


def read_patient(patient: int, rows: Sequence[dict[str, str]], data_dir: Path) -> Study:
    """Return a study of a patient's middle T2 and T1 slices, whose weighting is known."""
    chosen: list[Series] = []
    study: Study | None = None
    for sequence in ("t2", "t1"):
        row = next((item for item in rows if item["sequence"] == sequence), None)
        if row is None:
            continue
        spacing = None
        if row["spacing_trusted"] == "yes":
            spacing = Spacing(float(row["row_spacing_mm"]), float(row["col_spacing_mm"]))
        file = data_dir / "spider" / "midsagittal" / row["file"]
        study = load_study(file, protocol="lumbar", spacing=spacing)
        series = replace(
            study.series[0],
            id=sequence.upper(),
            role=f"sagittal_{sequence}",
            plane=Plane.SAGITTAL,
            sequence=Weighting(sequence),
        )
        chosen.append(series)
    if study is None:
        raise NotEligibleError(f"patient {patient}: no T1 or T2 middle slice")
    return replace(study, key=f"spider-{patient}", series=tuple(chosen))


def read_cases(grader: Grader, fold: int, limit: int | None) -> Iterator[Case]:
    """Yield the fold's patients; one that the segmentation refuses is said and left out."""
    data_dir, protocol = load_settings().data_dir, load_protocol("lumbar")
    segmenter = Segmenter.load(device="cpu")
    by_patient: dict[int, list[dict[str, str]]] = defaultdict(list)
    for row in read_rows(data_dir / "spider" / "midsagittal.csv"):
        by_patient[int(row["patient"])].append(row)
    held_out = [patient for patient in sorted(by_patient) if spider_folds().get(patient) == fold]
    for patient in tqdm(held_out[:limit], unit="patient", disable=None):
        try:
            yield _read_case(patient, by_patient[patient], grader, segmenter, protocol, data_dir)
        except NotEligibleError as error:
            print(f"patient {patient} was refused: {error}")


def _read_case(
    patient: int,
    rows: Sequence[dict[str, str]],
    grader: Grader,
    segmenter: Segmenter,
    protocol: BodyProtocol,
    data_dir: Path,
) -> Case:
    study = read_patient(patient, rows, data_dir)
    segmented = segmenter.segment_study(study, protocol)
    return Case(patient, study, segmented, grader.grade(study, segmented, protocol))


def read_phantoms(grader: Grader, count: int) -> Iterator[Case]:
    """Yield made-up patients; one that the segmentation refuses is said and left out."""
    protocol, segmenter = load_protocol("lumbar"), Segmenter.load(device="cpu")
    for seed in tqdm(range(FIRST_SEED, FIRST_SEED + count), unit="phantom", disable=None):
        phantom = build_phantom("lumbar", seed=seed, setup="test_lumbar")
        study = study_of(phantom, [series.role for series in phantom.series])
        try:
            segmented = segmenter.segment_study(study, protocol)
        except NotEligibleError as error:
            print(f"{phantom.name} was refused: {error}")
            continue
        yield Case(seed, study, segmented, grader.grade(study, segmented, protocol))


def randomised_graders(grader: Grader, seed: int) -> dict[str, Grader]:
    """Return a grader a stage, its members drawn anew."""
    graders = {}
    for stage in STAGES:
        torch.manual_seed(seed)
        members = tuple(
            randomised(member, build_network(grader.config, list(member.heads)), stage)
            for member in grader.members
        )
        stored = StoredGrader(grader.config, members, {}, grader.config.network.levels)
        graders[stage] = Grader(stored, checksum=stage, device=torch.device("cpu"))
    return graders


def judge_case(case: Case, grader: Grader, *, is_sided: bool = False) -> Iterator[Row]:
    """Yield a row for every grade of a network, method and window; each patient has its own draw of weights.

    Args:
        case: One patient.
        grader: Whose maps.
        is_sided: Judge the grades of one side in place of those without.
    """
    drawn, rng = randomised_graders(grader, case.patient), np.random.default_rng(case.patient)
    windows = disc_windows(grader, case.study, case.segmented)
    for grade in case.findings.grades:
        if not grade.probabilities or (grade.side is not None) != is_sided:
            continue
        for method in SaliencyMethod:
            found = disc_heats(grader, windows, grade, method)
            others = {stage: disc_heats(item, windows, grade, method) for stage, item in drawn.items()}
            there = [number for number, item in enumerate(found) if item.window.level == grade.level]
            fall, elsewhere = _fall(grader, windows, grade, found, rng)
            shown, null_shown = (
                lay_disc_heats(heats, grade, grader, case.study, case.segmented, method=method)
                for heats in (found, others["all"])
            )
            for number, item, null in zip(there, shown, null_shown, strict=True):
                own = {stage: heats[number] for stage, heats in others.items()}
                yield _row(case.patient, grade, item, null, fall, elsewhere, found[number], own)


def _row(
    patient: int,
    grade: Grade,
    item: Saliency,
    null: Saliency,
    fall: float,
    elsewhere: float,
    found: HeatWindow,
    others: dict[str, HeatWindow],
) -> Row:
    return Row(
        patient=patient,
        condition=grade.condition.value,
        method=item.method.value,
        series=item.series_id,
        is_changed=grade.grade != SCALES[grade.scale].grades[0],
        energy_share=item.energy_share,
        area_share=item.area_share,
        level_share=item.level_share,
        random_energy_share=null.energy_share,
        fall=fall,
        fall_elsewhere=elsewhere,
        likeness={
            stage: compare(found.cells, other.cells, found.heat, other.heat) for stage, other in others.items()
        },
    )


def _fall(
    grader: Grader,
    windows: StudyWindows[GradingInputs],
    grade: Grade,
    found: Sequence[HeatWindow],
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Return ``deletion`` of the first window of a grade's level: of its side, or the crops of the midline."""
    head, level = head_of(grader, grade), grader.config.network.levels.index(str(grade.level))
    view = MIDLINE if grade.side is None else found[0].window.view
    names = [item.name for item in grader.config.views]

    def score(images: Tensor) -> float:
        inputs = windows.inputs
        if view == MIDLINE:
            inputs = inputs._replace(crops=images)
        else:
            changed = [
                images if name == view else other for name, other in zip(names, inputs.windows, strict=True)
            ]
            inputs = inputs._replace(windows=tuple(changed))
        members = grader.members_of(head.key)
        scores = [disc_score(member(inputs), head=head, grade=grade, level=level) for member in members]
        return float(np.mean([float(item) for item in scores]))

    of_level = [item for item in found if (item.window.level, item.window.view) == (grade.level, view)]
    images = windows.inputs.crops if view == MIDLINE else windows.inputs.windows[names.index(view)]
    return deletion(score, images, of_level, rng)


def deletion(
    score: Callable[[Tensor], float], crops: Tensor, found: Sequence[HeatWindow], rng: np.random.Generator
) -> tuple[float, float]:
    """Return the fall of a score when the hottest part of windows is blurred, and the same part elsewhere.

    Args:
        score: Crops as ``crops`` -> score.
        crops: (1, ..., H, W), as the network takes them.
        found: Windows that are blurred, each in its hottest part; ``index`` points into ``crops[0]``.
        rng: Chooses where elsewhere is.
    """
    falls = []
    with torch.inference_mode():
        before = score(crops)
        for is_moved in (False, True):
            changed = crops.clone()
            for item in found:
                image = changed[0][item.window.index].numpy()
                mask = item.heat >= np.quantile(item.heat, 1 - DELETED)
                if is_moved:
                    way = [int(rng.integers(size // 4, 3 * size // 4)) for size in mask.shape]
                    mask = np.roll(mask, way, (0, 1))
                blurred = gaussian_filter(image, _BLUR_PX, axes=(-2, -1))
                changed[0][item.window.index] = torch.from_numpy(np.where(mask, blurred, image))
            falls.append(before - score(changed))
    return falls[0], falls[1]


def main() -> None:
    """Judge, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="folder of one fold's network in place of the shipped grader")
    parser.add_argument("--config", type=Path, default=Path("configs/grading/train_lumbar.yaml"))
    parser.add_argument(
        "--fold", type=int, default=0, help="whose patients; the shipped models did not see fold 0"
    )
    parser.add_argument("--patients", type=int, help="only the first so many")
    parser.add_argument("--phantoms", type=int, help="so many made-up patients instead: grades of one side")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/saliency.json"))
    options = parser.parse_args()
    use_threads(1)
    grader = open_grader(options.run, options.config)
    is_sided = options.phantoms is not None
    cases = (
        read_phantoms(grader, options.phantoms) if is_sided else read_cases(grader, options.fold, options.patients)
    )
    rows = [row for case in cases for row in judge_case(case, grader, is_sided=is_sided)]
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.method, row.condition].append(row)
        groups[row.method, "all conditions"].append(row)
    report = {
        method.value: {name: judge(found) for (of, name), found in groups.items() if of == method.value}
        for method in SaliencyMethod
    }
    print(f"{len({row.patient for row in rows})} patients, {len(rows)} maps; grader {grader.checksum}\n")
    for name, figures in report.items():
        print(table_text(f"{name}: where the heat lies", figures, list(figures["all conditions"])[:7]))
        print(table_text(f"{name}: checks", figures, list(figures["all conditions"])[7:]))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "grader": grader.checksum,
        "fold": options.fold,
        "phantoms": options.phantoms,
        "maps": len(rows),
        "figures": report,
    }
    options.out.write_text(json.dumps(content, indent=2, default=asdict) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
