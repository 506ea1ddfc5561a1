"""Trains a tiny network with the Adaptive PID-Tversky loss on any number of processes under accelerate.

`python -m tests.segmentation.ranks FOLDER` runs in the processes that torchrun or `accelerate launch` starts; they
know each other by RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT; each writes ``rank<R>.pt``. Network and loss lie
in one module under DistributedDataParallel, the hard case: its buffers are overwritten from rank 0 at each step.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from segmentation.pid_tversky import PidGains, PIDTverskyLoss

EPOCHS, STEPS, SAMPLES, CLASSES = 4, 3, 4, 2
BREAK = (2, 2)
"""Epoch and step within it after which the checkpoint is written."""
GAINS = PidGains(proportional=0.5, integral=0.1, derivative=0.2, beta_low=0.1, beta_high=0.95)


class Learner(nn.Module):
    """Network and loss in one."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Conv2d(1, CLASSES, 3, padding=1)
        self.loss = PIDTverskyLoss(CLASSES, gains=GAINS)

    def forward(self, images: Tensor, target: Tensor) -> Tensor:
        return self.loss(self.network(images), target)


def begin() -> tuple[Learner, torch.optim.Optimizer]:
    torch.manual_seed(0)
    learner = Learner()
    return learner, torch.optim.SGD(learner.parameters(), lr=2.0)


def data_of(epoch: int, step: int, rank: int, ranks: int) -> tuple[Tensor, Tensor]:
    """Return a rank's share of the step's samples; rank 0's structures are large, the last rank's small."""
    generator = torch.Generator().manual_seed(100 * epoch + step)
    images = torch.rand(SAMPLES, 1, 12, 12, generator=generator)
    limits = torch.linspace(0.3, 0.9, SAMPLES)[:, None, None, None]
    target = (images > torch.cat([limits, 1.1 * limits], dim=1)).float()
    share = SAMPLES // ranks
    own = slice(rank * share, (rank + 1) * share)
    return images[own], target[own]


def main(folder: Path) -> None:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    rank, ranks = accelerator.process_index, accelerator.num_processes
    torch.set_num_threads(1)
    unbroken, records = train(accelerator, folder, resume=False)
    resumed, _ = train(accelerator, folder, resume=True)
    state = {"ranks": ranks, "unbroken": unbroken, "resumed": resumed, "records": records}
    torch.save(state, folder / f"rank{rank}.pt")
    accelerator.end_training()


def train(accelerator, folder: Path, *, resume: bool) -> tuple[dict[str, Tensor], list[dict[str, list[float]]]]:  # type: ignore[no-untyped-def]
    """Train all epochs, writing a checkpoint in the middle of one; or go on from that checkpoint."""
    plain, optimizer = begin()
    learner, optimizer = accelerator.prepare(plain, optimizer)
    start = (0, 0)
    if resume:
        stored = torch.load(folder / "checkpoint.pt", weights_only=True)
        plain.load_state_dict(stored["learner"])
        optimizer.load_state_dict(stored["optimizer"])
        start = BREAK
    records = []
    for epoch in range(start[0], EPOCHS):
        for step in range(start[1] if epoch == start[0] else 0, STEPS):
            if (epoch, step) == BREAK and not resume:
                plain.loss.gather_counts()
                state = {"learner": plain.state_dict(), "optimizer": optimizer.state_dict()}
                accelerator.save(state, folder / "checkpoint.pt")  # the main process only
                accelerator.wait_for_everyone()
            loss = learner(*data_of(epoch, step, accelerator.process_index, accelerator.num_processes))
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
        records.append(plain.loss.end_epoch())
    return {name: value.clone() for name, value in plain.state_dict().items()}, records


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    if torch.distributed.is_initialized():  # gloo's threads must end before the interpreter does, or it may abort
        torch.distributed.destroy_process_group()
