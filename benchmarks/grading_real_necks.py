"""Real necks of healthy people: does the cervical grader, taught by phantoms only, see compression where none is?

    python -m benchmarks.grading_real_necks

Data: the two 1 mm volumes of ``nifti/sct_testing`` (one T2, one T1; small field, about C2 to C5). They are smaller
than the gate lets through, so their sagittal slices (every third, 3 mm apart) are set into a wider black field and
handed to the segmenter without the gate. A sanity check of one or two volumes and no more: nothing can be said of
how often it happens. Prints every level with the grade of each condition and every box of cord compression.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from anatomy import Condition, load_protocol
from benchmarks.measurements import open_segmenter
from grading import Grader, triage_alert
from imaging.geometry import spacing_of
from imaging.types import Plane, Sequence, Series, SourceKind, Study, Volume
from runtime.device import use_threads
from runtime.errors import NotEligibleError
from runtime.settings import load_settings

OUT = Path("runs/benchmarks/grading_real_necks.json")
VOLUMES = {"t2_t2": Sequence.T2, "t1_t1w": Sequence.T1}
STEP, PAD_PX = 3, 40
"""Voxels of 1 mm from slice to slice, and black voxels on each side."""


def read_neck(file: Path, sequence: Sequence) -> Study:
    """Return the sagittal slices of a volume as a study: columns to the back, rows to the feet."""
    image = nib.as_closest_canonical(nib.load(file))  # type: ignore[no-untyped-call]
    voxels = np.asarray(image.dataobj, dtype=np.float32)[STEP // 2 :: STEP, ::-1, ::-1]  # right, back, feet
    array = np.pad(voxels.transpose(1, 2, 0), [(PAD_PX, PAD_PX), (PAD_PX, PAD_PX), (0, 0)])
    right, front, head = (float(size) for size in image.header.get_zooms()[:3])
    affine = np.array([[0, 0, right * STEP, 0], [-front, 0, 0, 0], [0, -head, 0, 0], [0, 0, 0, 1]], dtype=float)
    columns, rows, slices = array.shape
    volume = Volume(array, spacing_of(affine, slices), affine, (columns, rows, slices))
    series = Series("S1", f"sagittal_{sequence.value}", Plane.SAGITTAL, sequence, volume)
    return Study(file.name, SourceKind.NIFTI, "cervical", (series,))


def main() -> None:
    """Read, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grader", default="grading-cervical", help="weights folder")
    parser.add_argument("--weights", type=Path, default=None, help="folder of the weights folder")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    use_threads(2)
    settings, protocol = load_settings(), load_protocol("cervical")
    segmenter = open_segmenter(protocol)
    grader = Grader.load(weights_root=options.weights or settings.weights_dir, name=options.grader)
    report: dict[str, Any] = {}
    for name, sequence in VOLUMES.items():
        study = read_neck(settings.data_dir / "nifti" / "sct_testing" / f"{name}.nii.gz", sequence)
        try:
            segmented = segmenter.segment_study(study, protocol)
        except NotEligibleError as error:
            report[name] = {"not_read": str(error)}
            print(f"{name}: not read: {error}")
            continue
        findings = grader.grade(study, segmented, protocol)
        boxes = [item for item in findings.detections if item.score >= 0.5]
        graded = [item for item in findings.reported if item.grade is not None]
        report[name] = {
            "levels": [level.name for level in segmented.levels],
            "boxes_from_0.5": len(boxes),
            "highest_score": max((item.score for item in findings.detections), default=0.0),
            "alert": triage_alert(findings.grades),
            "grades": [
                [
                    item.level,
                    None if item.side is None else item.side.value,
                    item.condition.value,
                    item.scale,
                    item.grade,
                ]
                for item in graded
            ],
        }
        print(
            f"{name}: levels {', '.join(report[name]['levels'])}; boxes from 0.5: {len(boxes)}; "
            f"highest score {report[name]['highest_score']:.2f}; alert: {report[name]['alert']}"
        )
        for item in graded:
            if item.condition is not Condition.DISC_DEGENERATION or item.grade != "I":
                print(f"  {item.level} {item.side or ''} {item.condition.value} ({item.scale}): {item.grade}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
