"""Weights drawn anew stage by stage, and how alike two maps are."""

import numpy as np
import pytest
import torch

from grading.build import build_network
from grading.saliency.randomise import STAGES, compare, randomised
from tests.grading.saliency.tiny import CONFIG


@pytest.fixture(scope="module")
def trained() -> torch.nn.Module:
    torch.manual_seed(0)
    network = build_network(CONFIG).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 1.0  # no fresh network looks like this
    return network


@pytest.mark.parametrize(
    ("stage", "kept"),
    [("heads and context", ("encoder.pooling", "encoder.trunk")), ("and pooling", ("encoder.trunk",))],
)
def test_a_stage_draws_its_own_parts_and_keeps_the_rest(
    trained: torch.nn.Module, stage: str, kept: tuple[str, ...]
) -> None:
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    drawn = randomised(trained, build_network(CONFIG), stage)
    assert not drawn.training
    for name, value in drawn.state_dict().items():
        if value.numel() == 0:  # of views, which this network has none of
            continue
        is_same = torch.equal(value, before[name])
        assert is_same == (name.startswith(kept) or "running" in name or "tracked" in name), name
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())


def test_the_last_stage_draws_everything(trained: torch.nn.Module) -> None:
    drawn = randomised(trained, build_network(CONFIG), list(STAGES)[-1])
    same = [
        name
        for (name, value), old in zip(drawn.named_parameters(), trained.parameters(), strict=True)
        if torch.equal(value, old) and value.numel()
    ]
    assert same == []


def test_likeness_of_maps() -> None:
    rng = np.random.default_rng(0)
    cells, heat = rng.normal(size=(4, 6)).astype(np.float32), rng.random((32, 48)).astype(np.float32)
    same = compare(cells, cells, heat, heat)
    assert same.rank_correlation == pytest.approx(1.0)
    assert same.ssim == pytest.approx(1.0)
    assert compare(cells, -cells, heat, heat).rank_correlation == pytest.approx(-1.0)
    other = compare(cells, cells, heat, rng.random((32, 48)).astype(np.float32))
    assert other.ssim < 0.2
    flat = compare(cells, np.zeros_like(cells), heat, np.zeros_like(heat))
    assert flat.rank_correlation is None
    assert flat.ssim < 0.2
