"""How far the frames of a reading lie from frames on the true outlines: what training jitters its crops by.

``python -m grading.joints.training.misplaced [--patients 3]`` draws patients of every cohort, outlines them with
the shipped segmentation and prints mean and spread over their joints.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anatomy import load_protocol
from grading.joints.frames import SIDES, JointFrame, locate_joints
from grading.joints.training.cohorts import Cohort, load_cohorts, setup_of
from imaging.phantom.build import take_series
from imaging.phantom.memory import study_in_memory
from imaging.phantom.scene import build_scene
from imaging.phantom.setup import load_setup
from imaging.phantom.tissues import Palette
from runtime.device import use_threads
from segmentation import Segmenter

NAMES = ("across mm", "along mm", "through mm", "turned deg", "slope")


def misplacement(found: JointFrame, true: JointFrame) -> NDArray[np.float64]:
    """Return how a frame lies in another of the same joint, (5,): ``NAMES``."""
    away = found.origin - true.origin
    deep = float(away @ true.normal)
    flat = away - deep * true.through
    turned = np.degrees(np.arctan2(found.along @ true.across, found.along @ true.along))
    slope = float((found.through - true.through) @ true.across)
    return np.array([flat @ true.across, flat @ true.along, deep, turned, slope])


def misplaced(cohort: Cohort, seed: int, segmenter: Segmenter) -> Iterator[NDArray[np.float64]]:
    """Draw, outline and locate one patient; yield the misplacement of each joint."""
    setup, palette = setup_of(cohort, seed), Palette()
    usual = load_setup(f"setup_{setup.protocol}").series[0]
    side = 2 * round(usual.cols * usual.pixel / setup.series[0].pixel / 2)  # the segmenter sees the whole field
    setup = replace(setup, series=tuple(replace(row, rows=side, cols=side) for row in setup.series))
    drawn = take_series(build_scene(setup, seed=seed, palette=palette), palette, setup, seed)
    study = study_in_memory(str(seed), setup.protocol, drawn)
    segmented = segmenter.segment_study(study, load_protocol(setup.protocol))
    affine = drawn[-1].affine
    outlines = [(item.array, affine) for item in segmented.label_maps]  # drawn on one grid
    found, true = locate_joints(outlines, affine), locate_joints([(drawn[-1].label_array, affine)], affine)
    for joint in SIDES:
        if joint in found and joint in true:
            yield misplacement(found[joint], true[joint])


def main() -> None:
    """Print mean and standard deviation over the joints of some patients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=3, help="of each cohort")
    options = parser.parse_args()
    use_threads(1)
    segmenter = Segmenter.load(name=load_protocol("sacroiliac").weights["segmentation"], device="cpu")
    rows = [
        row
        for cohort in load_cohorts().cohorts
        for number in range(options.patients)
        for row in misplaced(cohort, cohort.first_seed + number, segmenter)
    ]
    table = np.array(rows)
    for name, mean, spread in zip(NAMES, table.mean(axis=0), table.std(axis=0), strict=True):
        sys.stdout.write(f"{name}: {mean:.2f} (standard deviation {spread:.2f}) over {len(table)} joints\n")


if __name__ == "__main__":
    main()
