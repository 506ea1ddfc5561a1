"""Time and peak memory of whole readings on this machine: `python benchmarks/speed.py [--threads 2]`.

Reads one picture (a phantom's mid-sagittal slice, or a real one with --picture) and a three-series phantom study,
models already loaded, each several times; prints a Markdown table and writes runs/benchmarks/speed.json.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

from imaging.phantom import build_phantom, write_phantom_study
from imaging.types import Spacing
from pipeline import Reader, Reading, ReadOptions
from runtime.device import use_threads

OUT = Path("runs/benchmarks/speed.json")


def timed(reader: Reader, path: Path, options: ReadOptions) -> tuple[float, dict[str, float]]:
    start = time.perf_counter()
    reading = next(event for event in reader.read(path, options) if isinstance(event, Reading))
    return time.perf_counter() - start, reading.timings_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--picture", type=Path, default=None, help="a real sagittal slice; default: the phantom's")
    arguments = parser.parse_args()
    use_threads(arguments.threads)
    start = time.perf_counter()
    reader = Reader.load(warm=("lumbar",))
    load_s = time.perf_counter() - start
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        study, picture = phantom_inputs(Path(folder))
        for name, path, options in (
            ("one picture", arguments.picture or picture, ReadOptions(spacing=Spacing(0.75, 0.75))),
            ("three-series phantom study", study, ReadOptions()),
        ):
            runs = [timed(reader, path, options) for _ in range(arguments.repeats)]
            rows[name] = {"seconds": [run[0] for run in runs], "stages_s": runs[-1][1]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    result = {"threads": arguments.threads, "load_s": load_s, "peak_gib": peak, "runs": rows}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"models loaded in {load_s:.1f} s, peak memory {peak:.2f} GiB, {arguments.threads} threads\n")
    print("| input | first, s | median, s | stages of the last run |\n|---|---|---|---|")
    for name, row in rows.items():
        median = sorted(row["seconds"])[len(row["seconds"]) // 2]
        stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in row["stages_s"].items())
        print(f"| {name} | {row['seconds'][0]:.2f} | {median:.2f} | {stages} |")


def phantom_inputs(folder: Path) -> tuple[Path, Path]:
    """Write a phantom study and its middle slice as a picture; return both paths."""
    from PIL import Image

    from imaging.phantom import phantom_picture

    phantom = build_phantom("lumbar", seed=7)
    write_phantom_study(phantom, folder / "study")
    picture = folder / "slice_t2.png"
    Image.fromarray(phantom_picture(phantom)).save(picture)
    return folder / "study" / "study.zip", picture


if __name__ == "__main__":
    main()
