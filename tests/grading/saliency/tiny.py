"""A small untrained grader, and a drawn spine with outlines, for the saliency tests."""

from dataclasses import replace

import numpy as np
import torch

from anatomy import disc_label, vertebra_label
from grading.build import build_network
from grading.calibration import HeadCalibration
from grading.config import CropGeometry, GraderConfig, NetworkConfig
from grading.heads import HeadKind
from grading.predict import Grader
from grading.storage import HeadTuning, StoredGrader
from imaging.types import Sequence, Study
from segmentation.types import LabelMap, SegmentedStudy
from tests.grading.factories import LEVELS, Points, draw_spine, levels_of, segmented_of, series_of, study_of

GEOMETRY = CropGeometry(width_px=48, height_px=32)
CONFIG = GraderConfig(GEOMETRY, NetworkConfig(widths=(4, 8), token_width=16, heads=2, layers=1))
PITCH = 40.0


def tiny_grader(
    *, members: int = 1, seed: int = 0, encoder: str = "small_cnn", views: tuple[str, ...] = ()
) -> Grader:
    """Return a grader with random weights, without calibration."""
    torch.manual_seed(seed)
    config = replace(CONFIG, network=replace(CONFIG.network, encoder=encoder, views=views))
    heads = {
        head.key: HeadTuning(
            HeadCalibration(1.0, (0.0,) * (len(head.grades) if head.kind is HeadKind.CATEGORICAL else 1)),
            (0.9,) * len(head.grades),
        )
        for head in config.heads
    }
    networks = tuple(build_network(config) for _ in range(members))
    at_hand = ("t2", "t1", "t2+t1", "t2+axial_t2")
    stored = StoredGrader(config, networks, dict.fromkeys(at_hand, heads), LEVELS)
    return Grader(stored, checksum="made up", device=torch.device("cpu"))


def outline(points: Points, shape: tuple[int, int]) -> np.ndarray:
    """Return labels (rows, columns): discs, the vertebrae between them, the sacrum and the canal."""
    labels = np.zeros(shape, dtype=np.uint8)
    for level, (x, y) in points.items():
        left, right, row = round(x - 0.95 * PITCH), round(x), round(y)
        above, below = level.split("-")
        labels[row - 34 : row - 5, left:right] = vertebra_label(above)
        labels[row - 5 : row + 6, left:right] = disc_label(level)
        labels[row - 34 : row + 34, right + 1 : right + 18] = 100
        if below == "S1":
            labels[row + 6 : row + 34, left:right] = 50
    return labels


def outlined_study(
    points: Points, *, second: Points | None = None, shape: tuple[int, int] = (340, 220)
) -> tuple[Study, SegmentedStudy]:
    """Return a T2 with outlines and, with a second chain, a T1 without any, as segmentation gives them."""
    study, levels = study_of(series_of(draw_spine(points, shape=shape))), {"S1": levels_of(points)}
    if second is not None:
        t1 = series_of(
            draw_spine(second, shape=shape, disc=0.4, marrow=0.8, canal=0.2),
            series_id="S2",
            sequence=Sequence.T1,
            role="sagittal_t1",
        )
        study, levels = study_of(study.series[0], t1), {**levels, "S2": levels_of(second, series_id="S2")}
    labels = np.ascontiguousarray(outline(points, shape).T[:, :, None])
    return study, replace(segmented_of(levels), label_maps=(LabelMap("S1", labels),))
