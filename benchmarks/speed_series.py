"""Seconds and memory of one series, beside MONAI's DynUNet: `python -m benchmarks.speed_series [--threads 2]`.

A 15-slice 384 x 384 T2 series (a phantom) is segmented, named and measured. In the same process, in turn, MONAI's
DynUNet (nnU-Net's plain 2-D network, random weights, narrowed to about the parameters of ours) outlines the same
slices with our preprocessing, in one view and without mirroring, in the layout of memory that suits it better and
in our precision (``SPINESCRIBE_PRECISION``). Wall time means something on an idle
machine only; CPU seconds and the ratio of the two are given as well. Memory is the peak of processes of their own,
with and without jemalloc. Prints a Markdown table and writes runs/benchmarks/speed_series.json.
"""

from __future__ import annotations

import argparse
import ctypes.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from anatomy import load_protocol
from imaging.phantom import build_phantom
from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from runtime.settings import load_settings
from segmentation import Segmenter
from segmentation.preprocess import pad_to_multiple, resize, scale_grey, to_network_range
from segmentation.scan import segment_some

OUT = Path("runs/benchmarks/speed_series.json")
SLICES, SIDE = 15, 384
_STRIDE = 32
"""Of DynUNet with six levels, as nnU-Net plans 2-D networks of this size."""
_FILTERS = (16, 32, 64, 96, 128, 144)
"""About 1.9 M parameters; nnU-Net's own plan starts with 32 and ends with 512."""


def study_of_one_series(file: Path | None = None) -> Study:
    """Return a phantom's T2 series brought to 15 slices of 384 x 384; read from a file where one is given.

    A process whose memory is looked at reads the file: drawing a phantom takes more memory than reading it.
    """
    if file is not None:
        with np.load(file) as kept:
            return _study(kept["array"], kept["affine"])
    phantom = build_phantom("lumbar", seed=7)
    series = next(item for item in phantom.series if item.role == "sagittal_t2")
    array = torch.from_numpy(series.array)[None, None]
    size = (SIDE, SIDE, SLICES)
    scaled = nn.functional.interpolate(array, size=size, mode="trilinear", align_corners=False)[0, 0].numpy()
    return _study(scaled, series.affine @ np.diag([*(np.array(series.array.shape) / size), 1.0]))


def _study(array: np.ndarray, affine: np.ndarray) -> Study:
    column, row, step = (float(value) for value in np.linalg.norm(affine[:3, :3], axis=0))
    volume = Volume(np.ascontiguousarray(array), Spacing(row, column, step), affine, (SIDE, SIDE, SLICES))
    made = Series("S1", "sagittal_t2", Plane.SAGITTAL, Sequence.T2, volume)
    return Study("speed", SourceKind.NIFTI, "lumbar", (made,))


@cache
def build_dynunet(layout: torch.memory_format = torch.contiguous_format) -> nn.Module:
    """Return MONAI's DynUNet for slices, four classes, in evaluation mode."""
    from monai.networks.nets.dynunet import DynUNet

    levels = len(_FILTERS)
    network: nn.Module = DynUNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=4,
        kernel_size=[3] * levels,
        strides=[1, *[2] * (levels - 1)],
        upsample_kernel_size=[2] * (levels - 1),
        filters=list(_FILTERS),
    )
    return network.eval().to(memory_format=layout)


@torch.inference_mode()
def outline_with(network: nn.Module, images: np.ndarray, side: int) -> Tensor:
    """Return class probabilities (N, 4, H, W) of slices, a few at a time, with our preprocessing and precision."""
    size = (images.shape[1], images.shape[2])
    dtype = getattr(torch, load_settings().precision)
    found = []
    for start in range(0, len(images), 4):
        grey = torch.from_numpy(np.stack([scale_grey(one, 1.0, 99.0) for one in images[start : start + 4]]))[
            :, None
        ]
        padded = pad_to_multiple(resize(grey, (side, side)).clamp(0, 1), _STRIDE)
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            logits = network(to_network_range(padded))
        found.append(resize(logits.float()[..., :side, :side], size).softmax(1))
    return torch.cat(found)


def jobs(study: Study) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    segmenter = Segmenter.load(device="cpu")
    protocol = load_protocol("lumbar")
    series = study.series[0]
    images = np.stack([series.volume.slice_image(k) for k in range(SLICES)])
    side = segmenter.network.config.view_sides_px[0]  # type: ignore[attr-defined]
    return {
        "ours, outlined, named and measured": lambda: segmenter.segment_study(study, protocol),
        "ours, outlined": lambda: [
            segment_some(segmenter.network, series, range(start, min(start + 8, SLICES)))
            for start in range(0, SLICES, 8)
        ],
        "DynUNet, outlined": lambda: outline_with(build_dynunet(), images, side),
        "DynUNet, channels last, outlined": lambda: outline_with(build_dynunet(torch.channels_last), images, side),
    }


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def child(name: str, threads: int, series: Path, *, use_jemalloc: bool) -> dict[str, float]:
    """Run one job in a process of its own; return its seconds and peak memory."""
    environment = dict(os.environ)
    library = ctypes.util.find_library("jemalloc")
    if use_jemalloc and library is not None:
        environment["LD_PRELOAD"] = library
    words = [sys.executable, "-m", "benchmarks.speed_series", "--threads", str(threads), "--child", name]
    words += ["--series", str(series)]
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def peak_gib() -> float:
    """Return the most memory this process held."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024**2


def main() -> None:
    """Time, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--series", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--no-memory", action="store_true", help="times only, no processes of their own")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    study = study_of_one_series(arguments.series)
    work = jobs(study)
    if arguments.child:
        work[arguments.child]()
        wall, cpu = timed(work[arguments.child])
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_gib": peak_gib()}))
        return
    for once in work.values():
        once()  # the first run of anything builds tables and kernels
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for _ in range(arguments.repeats):
        for name, one in work.items():
            runs[name].append(timed(one))
    report(runs, arguments.threads, {} if arguments.no_memory else memory(study, arguments.threads))


def memory(study: Study, threads: int) -> dict[str, dict[str, float]]:
    """Return peak memory and times of the whole job with and without jemalloc."""
    name = "ours, outlined, named and measured"
    volume = study.series[0].volume
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "series.npz"
        np.savez(file, array=volume.array, affine=volume.affine)
        return {
            "plain": child(name, threads, file, use_jemalloc=False),
            "jemalloc": child(name, threads, file, use_jemalloc=True),
        }


def report(runs: dict[str, list[tuple[float, float]]], threads: int, peaks: dict[str, dict[str, float]]) -> None:
    """Print the table and write the figures."""
    medians = {name: np.median(np.array(pairs), axis=0).tolist() for name, pairs in runs.items()}
    base = min(cpu for name, (_, cpu) in medians.items() if name.startswith("DynUNet"))
    load = os.getloadavg()[0]
    parameters = sum(parameter.numel() for parameter in build_dynunet().parameters()) / 1e6
    result = {
        "threads": threads, "precision": load_settings().precision, "load": load,
        "dynunet_parameters_m": parameters, "median_wall_cpu_s": medians,
        "runs": runs, "memory": peaks,
    }  # fmt: skip
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"{SLICES} slices of {SIDE} x {SIDE}, {threads} threads, load {load:.1f}, DynUNet {parameters:.2f} M\n")
    print("| what | wall s, median | CPU s, median | CPU, of the faster DynUNet |\n|---|---:|---:|---:|")
    for name, (wall, cpu) in medians.items():
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {cpu / base:.2f} |")
    for name, found in peaks.items():
        seconds = f"{found['wall_s']:.2f} s, CPU {found['cpu_s']:.2f} s"
        print(f"\n{name}: {seconds}, peak {found['peak_gib']:.2f} GiB")


if __name__ == "__main__":
    main()
