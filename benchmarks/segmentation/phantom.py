"""The part that needs no data: a network on made-up patients it has not seen, against their exact masks.

It shows that weights, network and scoring work together on a clean checkout. It is no measure of quality on real
spines: ``score`` is.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.segmentation.cases import masks_of
from benchmarks.segmentation.metrics import dice
from benchmarks.segmentation.scoring import STRUCTURES, Row
from evaluation.segmentation import STRUCTURE_LABELS
from imaging.phantom.draws import paint_patient
from imaging.phantom.setup import load_setup
from imaging.types import Spacing
from segmentation.predict import SliceSegmenter

FIRST_SEED = 990000
"""Seeds count up from here: far from those of training (100000 and on) and of the named test sets."""
_SLICES = 3
_SPACING_MM = 6.0


def score_phantoms(model: SliceSegmenter, patients: int) -> Iterator[Row]:
    """Score sagittal slices of made-up patients from random scanners; a patient's number is its seed."""
    usual = next(row for row in load_setup("setup_lumbar").series if row.role == "sagittal_t2")
    grid = replace(usual, slices=_SLICES, spacing=_SPACING_MM)
    for seed in range(FIRST_SEED, FIRST_SEED + patients):
        patient = paint_patient("lumbar", seed=seed, row=grid)
        labels = patient.labels().transpose(2, 1, 0)  # (I, J, K) -> (K, rows, columns)
        volume = next(patient.random_scanners(1)).transpose(2, 1, 0)
        maps = model.segment_slices(
            np.ascontiguousarray(volume, dtype=np.float32), Spacing(grid.pixel, grid.pixel)
        )
        for name in STRUCTURES:
            found = masks_of(maps, name)
            if found is not None:
                yield Row(f"phantom {name} Dice", seed, dice(found, STRUCTURE_LABELS[name](labels)))
