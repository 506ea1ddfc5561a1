"""The Adaptive PID-Tversky loss on two processes: all ranks agree with one process that sees all data."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from segmentation.pid_tversky import PIDTverskyLoss
from tests.segmentation.ranks import EPOCHS, STEPS, begin, data_of

ROOT = Path(__file__).parents[2]
CONTROLLER = ("beta", "integral", "derivative", "last_error")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _launch(folder: Path, ranks: int) -> list[dict[str, Any]]:
    """Start the processes with the environment of ``accelerate launch``, and return what each wrote."""
    shared = {
        "WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "tests.segmentation.ranks", str(folder)]
    processes = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=240)  # trainings may hold both cores
            assert process.returncode == 0, errors[-2000:]
    finally:
        for process in processes:
            process.kill()
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(ranks)]


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return _launch(tmp_path_factory.mktemp("ranks"), 2)


def _alone() -> tuple[dict[str, torch.Tensor], list[dict[str, list[float]]]]:
    learner, optimizer = begin()
    records = []
    for epoch in range(EPOCHS):
        for step in range(STEPS):
            optimizer.zero_grad()
            learner(*data_of(epoch, step, 0, 1)).backward()
            optimizer.step()
        records.append(learner.loss.end_epoch())
    return learner.state_dict(), records


def test_ran_on_two_ranks_with_different_data(two_ranks: list[dict[str, Any]]) -> None:
    assert [state["ranks"] for state in two_ranks] == [2, 2]
    first, second = (data_of(0, 0, rank, 2)[1].mean() for rank in range(2))
    assert float(first) > 1.5 * float(second)


def test_ranks_hold_the_same_state_to_the_bit(two_ranks: list[dict[str, Any]]) -> None:
    first, second = (state["unbroken"] for state in two_ranks)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert two_ranks[0]["records"] == two_ranks[1]["records"]


def test_ranks_equal_one_process_that_saw_all_data(two_ranks: list[dict[str, Any]]) -> None:
    expected, records = _alone()
    for name in CONTROLLER:
        torch.testing.assert_close(two_ranks[0]["unbroken"][f"loss.{name}"], expected[f"loss.{name}"])
        assert float(expected[f"loss.{name}"].abs().min()) > 0.0005, f"{name} has not moved: nothing is tested"
    for ours, theirs in zip(two_ranks[0]["records"], records, strict=True):
        for what, values in theirs.items():
            assert ours[what] == pytest.approx(values, abs=1e-5), what


def test_resuming_within_an_epoch_ends_as_the_unbroken_run(two_ranks: list[dict[str, Any]]) -> None:
    for state in two_ranks:
        for name, value in state["unbroken"].items():
            torch.testing.assert_close(state["resumed"][name], value, msg=name)


def test_counts_are_no_buffer_but_are_in_the_state() -> None:
    loss = PIDTverskyLoss(2)
    assert "counts" not in dict(loss.named_buffers())
    assert loss.state_dict()["counts"].shape == (3, 2)


@pytest.mark.slow
def test_torchrun_itself(tmp_path: Path, two_ranks: list[dict[str, Any]]) -> None:
    """Without GPUs ``accelerate launch`` starts several processes through MPI only; torchrun needs none."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launcher, "-m", "tests.segmentation.ranks", str(tmp_path)]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, env=environment)
    assert run.returncode == 0, run.stderr[-2000:]
    for rank in range(2):
        launched = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        assert launched["ranks"] == 2
        for name, value in two_ranks[rank]["unbroken"].items():
            assert torch.equal(launched["unbroken"][name], value), name
