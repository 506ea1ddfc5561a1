"""Where a reading finds the posterior disc margins of phantoms, against the truth.

    python -m benchmarks.placement [--regions lumbar cervical] [--count 20]

Training lays its windows where a reading finds them on average (``training.phantoms.found_front`` and
``found_down``) and jitters them as a reading scatters them (``training.point_jitter``); both numbers are measured
here, on seeds that neither train nor test anything. Phantoms only.
"""

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from anatomy import load_protocol
from benchmarks.measurements import open_segmenter, study_of
from evaluation.bootstrap import bootstrap_by_patient
from grading.view_inputs import study_frames
from grading.views import level_frames
from imaging.phantom import Phantom, build_phantom
from runtime.device import use_threads
from runtime.errors import NotEligibleError
from segmentation.study import Segmenter

OUT = Path("runs/benchmarks/placement.json")
FIRST_SEED = 660_000
AXES = ("front", "down", "left")


def offsets(phantom: Phantom, segmenter: Segmenter) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Return level -> (3,) how far in front of, below and to the left of the truth it is found, in pitches."""
    protocol = load_protocol(phantom.protocol)
    study = study_of(phantom, [series.role for series in phantom.series])
    try:
        found = study_frames(study, segmenter.segment_study(study, protocol))
    except NotEligibleError as error:
        print(f"{phantom.name}: not read: {error}")
        return {}
    true = level_frames({level.name: level.posterior_ras_mm for level in phantom.levels})
    rows = {}
    for name in sorted(set(found) & set(true)):
        frame = true[name]
        away = (found[name].origin - frame.origin) / frame.pitch_mm
        rows[name] = np.array([away @ frame.front, away @ frame.down, away @ frame.left])
    return rows


def measure(region: str, count: int) -> dict[str, Any]:
    """Return mean with interval and spread of each axis over all levels of some phantoms."""
    segmenter = open_segmenter(load_protocol(region))
    patients, rows = [], []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        found = offsets(build_phantom(region, seed=seed, setup=f"test_{region}"), segmenter)
        patients += [seed] * len(found)
        rows += list(found.values())
    away = np.array(rows)
    report: dict[str, Any] = {"patients": len(set(patients)), "levels": len(rows)}
    for axis, name in enumerate(AXES):
        mean = bootstrap_by_patient(patients, lambda chosen, axis=axis: float(away[chosen, axis].mean()))
        spread = float(away[:, axis].std(ddof=1))
        report[name] = {"mean": mean.value, "low": mean.low, "high": mean.high, "spread": spread}
    return report


def main() -> None:
    """Draw, segment, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regions", nargs="+", default=("lumbar", "cervical"))
    parser.add_argument("--count", type=int, default=20, help="phantoms of each region")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    use_threads(options.threads)
    logging.getLogger("segmentation").setLevel(logging.WARNING)
    report = {region: measure(region, options.count) for region in options.regions}
    print("| region (phantom) | patients | levels | axis | mean, pitches | spread |\n|---|---|---|---|---|---|")
    for region, row in report.items():
        for name in AXES:
            figure = row[name]
            text = f"{figure['mean']:+.3f} ({figure['low']:+.3f} to {figure['high']:+.3f})"
            print(f"| {region} | {row['patients']} | {row['levels']} | {name} | {text} | {figure['spread']:.3f} |")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
