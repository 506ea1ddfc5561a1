"""What the saliency benchmarks count, on maps whose figures are known."""

import numpy as np
import pytest
import torch

from benchmarks.saliency import deletion
from benchmarks.saliency_joints import STATUS, Row, judge
from grading.saliency.place import WindowPlace
from grading.saliency.randomise import STAGES, Likeness
from grading.saliency.windows import HeatWindow, ReadWindow


def window_of(heat: np.ndarray, index: tuple[int, ...]) -> HeatWindow:
    place = WindowPlace(np.array([[0.0, 1, 0], [1, 0, 0]]), (heat.shape[0], heat.shape[1]), (50, 60))
    return HeatWindow(ReadWindow("encoder", index, "SIJ", None, "joint", "S1", 0, place), heat, heat)


@pytest.mark.parametrize("channels", [(), (2,)])
def test_blurring_what_the_score_rests_on_makes_it_fall(channels: tuple[int, ...]) -> None:
    crops = torch.zeros(1, 2, 3, *channels, 40, 48)
    crops[0, 1, 2, ..., 5:13, 6:14] = 1.0
    rows, columns = np.mgrid[:40, :48]
    heat = -np.hypot(rows - 9, columns - 10).astype(np.float32)  # hottest where the score looks
    before = crops.clone()
    rng = np.random.default_rng(0)
    fall, elsewhere = deletion(
        lambda images: float(images[0, 1, 2, ..., 5:13, 6:14].mean()), crops, [window_of(heat, (1, 2))], rng
    )
    assert fall > 0.5
    assert elsewhere < fall / 2
    assert torch.equal(crops, before)
    other, _ = deletion(lambda images: float(images[0, 1, 2].mean()), crops, [window_of(heat, (0, 0))], rng)
    assert other == 0


def test_figures_are_means_over_what_is_known() -> None:
    likeness = dict.fromkeys(STAGES, Likeness(None, 0.2))
    rows = [
        Row(seed, STATUS, "positive", "hires_cam", share, 0.4, 0.5, None, None, None, 2.0, 0.5, likeness)
        for seed, share in ((420000, 0.6), (420001, 0.8), (420002, None))
    ]
    figures = judge(rows)
    assert figures["energy_share"] is not None
    assert (figures["energy_share"].value, figures["energy_share"].patients) == (pytest.approx(0.7), 2)
    assert figures["above_area"] is not None
    assert figures["above_area"].value == pytest.approx(0.3)
    assert figures["deletion"] is not None
    assert figures["deletion"].value == pytest.approx(1.5)
    assert figures["oedema_share"] is None
    assert figures["rank: all"] is None
