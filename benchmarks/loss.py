"""Time of a loss step against MONAI's TverskyLoss, forward and backward: `python -m benchmarks.loss`.

One run, one thread, a training batch's shapes; the contenders take turns within each repetition, in an order drawn
anew, so that whatever else the machine does meets all alike. A figure is the ratio of median times with its
bootstrap interval over repetitions. Compared:

- `forward, backward`: no weight mask; ours counts TP, FP and FN for the controller as in training.
- `whole`: the same, and `end_epoch` after each step (in training: after every 40th).
- `weighted`: a (B, 1, H, W) mask of known pixels against MONAI's MaskedLoss, which is given probabilities: with
  `sigmoid=True` it would count a masked pixel as half positive. Ours also with a mask per class, as in training.

Writes runs/benchmarks/loss.json.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from monai.losses import MaskedLoss, TverskyLoss
from numpy.typing import NDArray
from torch import Tensor

from evaluation.bootstrap import Interval, bootstrap_by_patient
from runtime.device import use_threads
from segmentation.pid_tversky import PidGains, PIDTverskyLoss

OUT = Path("runs/benchmarks/loss.json")
GAINS = PidGains(proportional=0.5, integral=0.1, derivative=0.2)
PAIRS = (
    ("forward, backward", "plain", "monai"),
    ("whole", "whole", "monai"),
    ("weighted, one mask", "masked", "monai_masked"),
    ("weighted, a mask per class", "masked_by_class", "monai_masked"),
)


def contenders(classes: int, batch: int, size: tuple[int, int]) -> Mapping[str, Callable[[Tensor], Tensor]]:
    """Return each loss as a function of the logits."""
    target = (torch.rand(batch, classes, *size) > 0.8).float()
    mask = (torch.rand(batch, 1, *size) > 0.1).float()
    by_class = mask.expand_as(target).contiguous()
    ours = PIDTverskyLoss(classes, gains=GAINS, over_batch=True)
    monai = TverskyLoss(sigmoid=True, batch=True)
    monai_masked = MaskedLoss(TverskyLoss(batch=True))

    def whole(logits: Tensor) -> Tensor:
        loss = ours(logits, target)
        ours.end_epoch()
        return loss

    return {
        "monai": lambda logits: monai(logits, target),
        "plain": lambda logits: ours(logits, target),
        "whole": whole,
        "monai_masked": lambda logits: monai_masked(logits.sigmoid(), target, mask),
        "masked": lambda logits: ours(logits, target, mask),
        "masked_by_class": lambda logits: ours(logits, target, by_class),
    }


def timed(losses: Mapping[str, Callable[[Tensor], Tensor]], logits: Tensor, repeats: int) -> dict[str, NDArray]:
    """Return seconds of each loss per repetition; two repetitions go before, uncounted."""
    rng = np.random.default_rng(0)
    seconds: dict[str, list[float]] = {name: [] for name in losses}
    for repeat in range(repeats + 2):
        for name in rng.permutation(list(losses)):
            logits.grad = None
            start = time.perf_counter()
            losses[name](logits).backward()
            if repeat >= 2:
                seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def ratio(ours: NDArray, reference: NDArray) -> Interval:
    """Return the ratio of medians; the repetition is the unit that is drawn."""
    return bootstrap_by_patient(
        range(len(ours)), lambda rows: float(np.median(ours[rows]) / np.median(reference[rows]))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, nargs=2, default=(448, 320), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--classes", type=int, nargs="+", default=(3, 7))
    arguments = parser.parse_args()
    use_threads(1)
    torch.manual_seed(0)
    result: dict[str, dict[str, object]] = {}
    print("| classes | step | ours, ms | MONAI, ms | ratio (95 % interval) |\n|---|---|---|---|---|")
    for classes in arguments.classes:
        logits = torch.randn(arguments.batch, classes, *arguments.size, requires_grad=True)
        seconds = timed(contenders(classes, arguments.batch, arguments.size), logits, arguments.repeats)
        result[str(classes)] = {name: values.tolist() for name, values in seconds.items()}
        for step, ours, reference in PAIRS:
            found = ratio(seconds[ours], seconds[reference])
            times = [1000 * float(np.median(seconds[name])) for name in (ours, reference)]
            print(
                f"| {classes} | {step} | {times[0]:.1f} | {times[1]:.1f} "
                f"| {found.value:.2f} ({found.low:.2f} to {found.high:.2f}) |"
            )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"repeats": arguments.repeats, "seconds": result}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
