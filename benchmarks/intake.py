"""How fast a study is read, in how much memory: ours beside SimpleITK and dcm2niix, same files, one run.

``python -m benchmarks.intake [--files 500] [--out runs/benchmarks/intake.json]``

A study of five series is made (ellipsoids with noise, 384 x 384, so that compression has something to do) and
written uncompressed and compressed. Every reading has a process of its own; files are in the page cache;
readers take turns in shuffled order; the median of three is told. What is timed: for ours and SimpleITK the
call inside the process, without the interpreter's start and imports; for dcm2niix the whole process, which also
writes NIfTI files. What each returns differs: ours float32 volumes with roles, checked and hashed; SimpleITK
the stored type; dcm2niix files. Peak memory is the largest resident set of the process, or of its child.
"""

import argparse
import importlib
import json
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SERIES = 5
SIZE = 384
ROUNDS = 3
READERS = ("ours", "ours, isolated", "SimpleITK", "dcm2niix")
SYNTAXES = ("uncompressed", "JPEG-LS", "JPEG 2000")


@dataclass(frozen=True)
class Result:
    """One reader on one set of files: medians of ``ROUNDS``; None when it does not read them."""

    syntax: str
    reader: str
    files: int
    seconds: float | None
    files_per_s: float | None
    cpu_s: float | None
    peak_mb: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/intake.json"))
    parser.add_argument("--pixels", nargs="+", choices=SYNTAXES, default=SYNTAXES)
    parser.add_argument("--child", nargs=2, metavar=("READER", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(read_once(arguments.child[0], Path(arguments.child[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        results = [
            result
            for syntax in arguments.pixels
            for result in measure(syntax, write_study(Path(folder) / syntax, arguments.files, syntax))
        ]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps([asdict(item) for item in results], indent=1) + "\n", encoding="utf-8")
    print(table(results))


def table(results: list[Result]) -> str:
    """Return the results as Markdown."""
    lines = [
        "| Pixels | Reader | Files/s | Seconds | CPU seconds | Peak memory, MB |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for item in results:
        told = (
            "does not read them | | |"
            if item.seconds is None
            else f"{item.files_per_s:.0f} | {item.seconds:.2f} | {item.cpu_s:.2f} | {item.peak_mb:.0f}"
        )
        lines.append(f"| {item.syntax} | {item.reader} | {told} |")
    return "\n".join(lines)


def write_study(folder: Path, files: int, syntax: str) -> Path:
    """Write the study; each series has its own plane, weighting and folder."""
    from imaging.dicom.write import SeriesHeader, StudyHeader, write_mr_series

    study = StudyHeader("benchmark/intake", "BENCHMARK-1", None, None, "benchmark", "LSPINE", "20260101")
    sagittal = np.array([[0, 0, 0.9, -40], [-0.7, 0, 0, 130], [0, -0.7, 0, 130], [0, 0, 0, 1]], dtype=np.float64)
    axial = np.array([[-0.7, 0, 0, 130], [0, -0.7, 0, 130], [0, 0, 0.9, -40], [0, 0, 0, 1]], dtype=np.float64)
    for number in range(1, SERIES + 1):
        array = anatomy(files // SERIES, seed=number)
        timing = (3500.0, 100.0) if number % 2 else (600.0, 11.0)
        header = SeriesHeader(number, "series", *timing, 90.0, 16, 1.5, 0.9, 0.9)
        affine = axial if number == SERIES else sagittal
        write_mr_series(array, affine, study=study, series=header, folder=folder / f"{number}")
    if syntax != "uncompressed":
        for file in folder.rglob("*.dcm"):
            compress(file, syntax)
    return folder


def anatomy(slices: int, *, seed: int) -> NDArray[np.float32]:
    """Return (I, J, K) ellipsoids in Rician noise, whole numbers below 4096."""
    draw = np.random.default_rng(seed)
    i, j, k = np.ogrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j, -1 : 1 : slices * 1j]
    image = np.zeros((SIZE, SIZE, slices), dtype=np.float32)
    for _ in range(12):
        centre, radius = draw.uniform(-0.6, 0.6, 3), draw.uniform(0.1, 0.7, 3)
        inside = sum(((axis - c) / r) ** 2 for axis, c, r in zip((i, j, k), centre, radius, strict=True)) < 1
        image[inside] = draw.uniform(200, 2500)
    noise = draw.normal(0, 25, (2, *image.shape)).astype(np.float32)
    return np.rint(np.clip(np.hypot(image + noise[0], noise[1]), 0, 4095)).astype(np.float32)


def compress(file: Path, syntax: str) -> None:
    import pydicom
    from pydicom.uid import JPEG2000Lossless, JPEGLSLossless

    dataset = pydicom.dcmread(file)
    uid = JPEGLSLossless if syntax == "JPEG-LS" else JPEG2000Lossless
    dataset.compress(uid, generate_instance_uid=False)
    dataset.save_as(file)


def measure(syntax: str, folder: Path) -> list[Result]:
    """Let the readers take turns."""
    files = [file for file in folder.rglob("*.dcm") if file.read_bytes()]  # now they are in the page cache
    found: dict[str, list[tuple[float, ...]]] = {reader: [] for reader in READERS}
    order = random.Random(0)
    for _ in range(ROUNDS):
        for reader in order.sample(READERS, len(READERS)):
            command = [sys.executable, "-m", "benchmarks.intake", "--child", reader, str(folder)]
            answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            outcome = json.loads(answer.splitlines()[-1])
            if outcome["volumes"] == SERIES:
                found[reader].append((outcome["seconds"], outcome["cpu_s"], outcome["peak_mb"]))
    return [_result(syntax, reader, len(files), found[reader]) for reader in READERS]


def _result(syntax: str, reader: str, files: int, runs: list[tuple[float, ...]]) -> Result:
    if len(runs) < ROUNDS:
        return Result(syntax, reader, files, None, None, None, None)
    seconds, cpu_s, peak_mb = (statistics.median(column) for column in zip(*runs, strict=True))
    return Result(syntax, reader, files, seconds, files / seconds, cpu_s, peak_mb)


def read_once(reader: str, folder: Path) -> dict[str, float]:
    """Read the study once, in this process; return how many volumes came, the seconds and the peak memory."""
    read = {
        "ours": _ours,
        "ours, isolated": _ours_isolated,
        "SimpleITK": _simpleitk,
        "dcm2niix": _dcm2niix,
    }[reader]
    _import(reader)
    before = time.process_time()
    volumes, seconds = read(folder)
    is_child = reader not in ("ours", "SimpleITK")
    used = resource.getrusage(resource.RUSAGE_CHILDREN if is_child else resource.RUSAGE_SELF)
    peak_mb = used.ru_maxrss / 1024 if is_child else _own_peak_mb()
    return {
        "volumes": volumes,
        "seconds": seconds,
        "cpu_s": used.ru_utime + used.ru_stime - (0.0 if is_child else before),
        "peak_mb": peak_mb,
    }


def _own_peak_mb() -> float:
    """Return the peak of this program's resident set; getrusage would count the one of who started it too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _import(reader: str) -> None:
    """Load the libraries before the clock starts."""
    for name in {"ours": ("imaging.load", "imaging.dicom.read"), "SimpleITK": ("SimpleITK",)}.get(reader, ()):
        importlib.import_module(name)


def _ours(folder: Path) -> tuple[int, float]:
    from imaging import load_study

    start = time.perf_counter()
    study = load_study(folder, protocol="lumbar")
    return len(study.series), time.perf_counter() - start


def _ours_isolated(folder: Path) -> tuple[int, float]:
    from imaging import load_study_isolated

    start = time.perf_counter()
    study = load_study_isolated(folder, protocol="lumbar")
    return len(study.series), time.perf_counter() - start


def _simpleitk(folder: Path) -> tuple[int, float]:
    import SimpleITK

    start = time.perf_counter()
    reader = SimpleITK.ImageSeriesReader()
    images = []
    for part in sorted(folder.iterdir()):
        for series in reader.GetGDCMSeriesIDs(str(part)):
            reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(part), series))
            images.append(reader.Execute())
    return len(images), time.perf_counter() - start


def _dcm2niix(folder: Path) -> tuple[int, float]:
    if shutil.which("dcm2niix") is None:
        return 0, 0.0
    with tempfile.TemporaryDirectory() as target:
        start = time.perf_counter()
        subprocess.run(
            ["dcm2niix", "-b", "n", "-z", "n", "-o", target, str(folder)], capture_output=True, check=False
        )
        seconds = time.perf_counter() - start
        return len(list(Path(target).glob("*.nii"))), seconds


if __name__ == "__main__":
    main()
