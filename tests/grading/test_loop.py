"""The training loop: a broken-off run resumes to the same weights, a stale one stops, the best epoch is kept."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from grading.training.loop import TrainingLoop
from grading.training.optimisation import OptimisationConfig
from runtime.errors import ConfigError

SETTINGS = OptimisationConfig(epochs=4, patience=4, weight_decay=0.01, average_decay=0.9)


def make_loop(folder: Path, settings: OptimisationConfig = SETTINGS, **identity: int) -> TrainingLoop[nn.Linear]:
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    return TrainingLoop(
        network,
        [{"params": list(network.parameters()), "lr": 0.05}],
        settings,
        steps_per_epoch=2,
        rng=np.random.default_rng(0),
        folder=folder,
        identity={"seed": 0, **identity},
    )


def losses_of(loop: TrainingLoop[nn.Linear], *, breaks_at: int | None = None):  # type: ignore[no-untyped-def]
    def losses(model: nn.Module) -> Iterator[Tensor]:
        if loop.epoch == breaks_at:
            raise KeyboardInterrupt
        for _ in range(2):
            rows = torch.from_numpy(loop.rng.normal(size=(8, 3))).float()
            yield ((model(rows)[:, 0] - rows[:, 0] - 1) ** 2).mean()

    return losses


def test_a_broken_off_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    whole = make_loop(tmp_path / "whole")
    expected = whole.run(losses_of(whole), None).state_dict()
    broken = make_loop(tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        broken.run(losses_of(broken, breaks_at=2), None)
    resumed = make_loop(tmp_path / "broken")
    resumed.resume()
    assert resumed.epoch == 2
    found = resumed.run(losses_of(resumed), None).state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
    assert (tmp_path / "broken" / "history.csv").read_text() == (tmp_path / "whole" / "history.csv").read_text()


def test_the_epoch_that_chooses_best_is_kept_and_a_stale_run_stops(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, replace(SETTINGS, epochs=9, patience=2))
    kept: list[dict[str, Tensor]] = []

    def choose(model: nn.Linear) -> float:
        kept.append({name: value.clone() for name, value in model.state_dict().items()})
        return float(len(kept) != 2)

    best = loop.run(losses_of(loop), choose).state_dict()
    assert loop.epoch == 4  # two epochs after the best one
    for name, value in kept[1].items():
        torch.testing.assert_close(best[name], value)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    loop = make_loop(tmp_path)
    loop.resume()  # nothing there: begins from the start
    assert loop.epoch == 0
    loop.save()
    with pytest.raises(ConfigError, match="expected a checkpoint of this configuration"):
        make_loop(tmp_path, width=8).resume()
