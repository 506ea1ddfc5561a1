"""How well the burden score and its interval hold on patients the grader did not see.

    python -m benchmarks.burden [--fold 0]
    python -m benchmarks.burden --phantoms 40

Data: SPIDER's gradings (one expert), middle slices at reference points, the shipped grader on the fold that it
and its calibration never saw. The truth is the same formula on the expert's grades of the same places: this judges
the interval as far as it comes from the grades, not the formula. Prints Markdown; intervals are 95 % bootstrap
intervals over patients, and Clopper-Pearson ones for coverage. With ``--phantoms`` it scores the true grades of
phantoms of every body region instead: what the formula itself allows on their label.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.stats import binomtest

from anatomy import Condition, Protocol, load_protocol, protocol_names
from evaluation.patients import patient_auc, patient_label
from grading import Burden, Grade, Grader, GradeStatus, measure_burden
from grading.burden import load_formula
from grading.burden.measure import INTERVAL
from grading.burden.uncertainty import total_law
from grading.config import GraderConfig
from grading.heads import label_columns
from grading.training.cases import Points
from grading.training.spider import read_labels, read_reference_points, read_rows
from imaging.phantom.scene import build_scene
from imaging.phantom.setup import load_setup
from imaging.phantom.tissues import Palette
from imaging.phantom.types import TruthGrade
from imaging.types import Plane, Series, SourceKind, Spacing, Study, Volume
from imaging.types import Sequence as Weighting
from runtime.folds import spider_folds
from runtime.settings import load_settings
from segmentation.types import Level, SegmentedStudy

FIRST_SEED = 1000  # far from the frozen test sets
UNGRADED_BY_SPIDER = (
    Condition.SPINAL_CANAL_STENOSIS, Condition.NEURAL_FORAMINAL_NARROWING, Condition.SUBARTICULAR_STENOSIS,
)  # fmt: skip
Grades = list[Grade]
Blocks = Callable[[Grades], list[Grades]]


def blocks_by(key: Callable[[Grade], object]) -> Blocks:
    """Return how grades are put into blocks that rise and fall together."""

    def split(grades: Grades) -> list[Grades]:
        keys = dict.fromkeys(key(grade) for grade in grades)
        return [[grade for grade in grades if key(grade) == wanted] for wanted in keys]

    return split


DEPENDENCE: dict[str, Blocks] = {
    "all places independent": blocks_by(lambda grade: (grade.condition, grade.level)),
    "conditions of a level together": blocks_by(lambda grade: grade.level),
    "levels of a condition together": blocks_by(lambda grade: grade.condition),
    "all places together": blocks_by(lambda grade: None),
}


def read_study(
    patient: int, rows: Sequence[dict[str, str]], points: dict[str, Points], folder: Path
) -> tuple[Study, SegmentedStudy]:
    """Return one patient's middle slices and their reference levels."""
    series, levels = [], {}
    for row in rows:
        if int(row["patient"]) != patient or row["file"] not in points:
            continue
        sequence = Weighting(row["sequence"].removesuffix("_SPACE"))
        image = np.asarray(Image.open(folder / "midsagittal" / row["file"]), dtype=np.float32)
        array = np.ascontiguousarray(image.T[:, :, None])
        volume = Volume(
            array, Spacing(float(row["row_spacing_mm"]), float(row["col_spacing_mm"])), None, array.shape
        )
        name = f"S{len(series) + 1}"
        series.append(Series(name, f"sagittal_{sequence.value}", Plane.SAGITTAL, sequence, volume))
        chain = points[row["file"]]
        levels[name] = tuple(
            Level(level, name, 0, point, point, None, 0.0, 0.0, 1.0, None) for level, point in chain.items()
        )
    study = Study(str(patient), SourceKind.PICTURE, "lumbar", tuple(series))
    first = next(iter(levels))
    return study, SegmentedStudy((), first, levels[first], levels, (), ())


def true_grades(graded: Grades, labels: np.ndarray, config: GraderConfig) -> Grades:
    """Return the expert's grades of the places that were graded."""
    heads, levels = config.heads, config.network.levels
    columns = {head.condition: label_columns(heads)[head.key][0] for head in heads if not head.is_sided}
    steps = {head.condition: head.grades for head in heads}
    return [
        Grade(grade.id, grade.level, None, grade.condition, grade.scale, steps[grade.condition][step], {}, (),
              GradeStatus.GRADED, None, None)
        for grade in graded
        if (step := labels[levels.index(str(grade.level)), columns[grade.condition]]) >= 0
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fold", type=int, default=0, help="fold that the shipped grader never saw")
    parser.add_argument("--phantoms", type=int, default=0, help="score true grades of so many phantoms instead")
    options = parser.parse_args()
    if options.phantoms:
        report_phantoms(options.phantoms)
        return
    fold = options.fold
    protocol, data_dir = load_protocol("lumbar"), load_settings().data_dir
    grader = Grader.load(device="cpu")
    labels = read_labels(data_dir, grader.config)
    points, rows = read_reference_points(data_dir), read_rows(data_dir / "spider" / "midsagittal.csv")
    cases: list[tuple[str, Grades, Grades]] = []
    for patient, held_in in sorted(spider_folds().items()):
        if held_in != fold or patient not in labels or not any(file.startswith(f"{patient}_t") for file in points):
            continue
        findings = grader.grade(*read_study(patient, rows, points, data_dir / "spider"), protocol)
        graded = [grade for grade in findings.grades if grade.grade is not None]
        known = [grade for grade in graded if grade.condition not in UNGRADED_BY_SPIDER]
        truth = true_grades(known, labels[patient], grader.config)
        places = {grade.id for grade in truth}
        cases.append((str(patient), [grade for grade in graded if grade.id in places], truth))
    report(cases, protocol)


def report_phantoms(count: int) -> None:
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    print("| phantoms | n | positive | score: least, median, most | patient AUC of the true grades |")
    print("|---|---|---|---|---|")
    for name in protocol_names():
        protocol, setup = load_protocol(name), load_setup(f"setup_{name}")
        labels: dict[str, bool | None] = {}
        scores: dict[str, float | None] = {}
        for seed in seeds:
            truth = build_scene(setup, seed=seed, palette=Palette()).measure()
            labels[str(seed)] = patient_label(truth.grades, "phantom")
            scores[str(seed)] = measure_burden([graded(item) for item in truth.grades], protocol).score
        spread = np.percentile([score for score in scores.values() if score is not None], [0, 50, 100])
        auc = patient_auc(labels, scores)
        cells = [name, count, auc.positives, ", ".join(f"{value:.0f}" for value in spread), auc.auc]
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


def graded(item: TruthGrade) -> Grade:
    """Return a phantom's true grade as a grade of a reading."""
    return Grade(
        "", item.level, item.side, item.condition, item.scale, item.grade, {}, (item.grade,), GradeStatus.GRADED,
        item.rule, None,
    )  # fmt: skip


def report(cases: list[tuple[str, Grades, Grades]], protocol: Protocol) -> None:
    burdens = [(measure_burden(found, protocol), measure_burden(truth, protocol)) for _, found, truth in cases]
    scores, true = (np.array([pair[i].score for pair in burdens], dtype=float) for i in (0, 1))
    expected = np.array([found.expected for found, _ in burdens], dtype=float)
    print(f"{len(cases)} patients of SPIDER, {sum(len(truth) for _, _, truth in cases)} graded places\n")
    print("| score | correlation with the expert's | mean absolute difference | mean difference | patient AUC |")
    print("|---|---|---|---|---|")
    truth_label = {name: patient_label(truth, "spider") for name, _, truth in cases}
    for words, values in (
        ("of the named grades", scores),
        ("expected", expected),
        ("of the expert's own grades", true),
    ):
        auc = patient_auc(truth_label, dict(zip([name for name, *_ in cases], values.tolist(), strict=True)))
        cells = [np.corrcoef(values, true)[0, 1], np.abs(values - true).mean(), (values - true).mean()]
        print(f"| {words} | " + " | ".join(f"{cell:.2f}" for cell in cells), f"| {auc.auc} |")
    print(f"\npositive {auc.positives}, negative {auc.negatives}\n")
    print("| dependence | expert's score inside the 95 % interval | mean width |\n|---|---|---|")
    for words, blocks in DEPENDENCE.items():
        print(f"| {words} | " + coverage(cases, blocks, burdens, protocol))


def coverage(
    cases: list[tuple[str, Grades, Grades]],
    blocks: Blocks,
    burdens: list[tuple[Burden, Burden]],
    protocol: Protocol,
) -> str:
    formula = load_formula(protocol.name)
    hits, widths = 0, []
    for (_, found, _), (burden, truth) in zip(cases, burdens, strict=True):
        law = total_law(blocks(found), formula)
        low, high = (formula.score(law.quantile(share)) for share in INTERVAL)
        low, high = min(low, burden.score or 0.0), max(high, burden.score or 0.0)
        hits += low - 1e-9 <= (truth.score or 0.0) <= high + 1e-9
        widths.append(high - low)
    exact = binomtest(hits, len(cases)).proportion_ci()
    share = f"{hits}/{len(cases)} = {hits / len(cases):.3f} ({exact.low:.3f} to {exact.high:.3f})"
    return f"{share} | {np.mean(widths):.1f} |"


if __name__ == "__main__":
    main()
