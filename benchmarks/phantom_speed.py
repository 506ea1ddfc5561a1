"""Time and memory of phantom studies: ``python -m benchmarks.phantom_speed [--count 5]``.

Builds studies of each body region one after another on one core and prints a Markdown table: process seconds a
study (drawing, painting, scanning, truth), the share of painting, seconds to write it as DICOM with its zip and
label maps, and the largest memory of the process. Writes ``runs/benchmarks/phantom_speed.json``.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path
from statistics import median

from imaging.phantom import build_phantom, write_phantom_study
from imaging.phantom.build import paint_grid
from imaging.phantom.scene import build_scene
from imaging.phantom.setup import load_setup
from imaging.phantom.tissues import Palette

OUT = Path("runs/benchmarks/phantom_speed.json")
SETUPS = ("setup_lumbar", "setup_lumbar_stir", "setup_lumbar_random", "setup_cervical", "setup_sacroiliac")
_TARGET_S = 3.0  # issue 3: a three-series lumbar study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5, help="studies of each setup")
    parser.add_argument("--setups", nargs="+", default=list(SETUPS))
    options = parser.parse_args()
    rows = {name: measure(name, options.count) for name in options.setups}
    print("| setup | series | s a study (median, worst) | painting s | writing s | peak MB |")
    print("|---|---|---|---|---|---|")
    for name, row in rows.items():
        times = f"{row['build_s']:.2f}, {row['worst_s']:.2f}"
        print(
            f"| {name} | {row['series']:.0f} | {times} | {row['paint_s']:.2f} | {row['write_s']:.2f} "
            f"| {row['peak_mb']:.0f} |"
        )
    if "setup_lumbar" in rows:
        is_met = rows["setup_lumbar"]["build_s"] <= _TARGET_S
        print(
            f"\nTarget of {_TARGET_S:.0f} s a three-series lumbar study on a core: {'met' if is_met else 'missed'}"
        )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"rows": rows, "threads": os.environ.get("OMP_NUM_THREADS")}, indent=1) + "\n")


def measure(name: str, count: int) -> dict[str, float]:
    """Return the figures of a setup; the first study warms up and does not count."""
    setup = load_setup(name)
    build_phantom(setup.protocol, seed=99, setup=name)
    built, painted, written = [], [], []
    for seed in range(count):
        start = time.process_time()
        phantom = build_phantom(setup.protocol, seed=seed, setup=name)
        built.append(time.process_time() - start)
        painted.append(paint_time(name, seed))
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            write_phantom_study(phantom, Path(folder))
            written.append(time.process_time() - start)
    return {
        "series": float(len(setup.series)),
        "build_s": median(built),
        "worst_s": max(built),
        "paint_s": median(painted),
        "write_s": median(written),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def paint_time(name: str, seed: int) -> float:
    """Return the seconds that drawing, placing and painting of all grids of a study take."""
    setup, palette = load_setup(name), Palette()
    start = time.process_time()
    scene = build_scene(setup, seed=seed, palette=palette)
    seen = set()
    for row in setup.series:
        affine, shape = scene.grid(row)
        if (key := (affine.tobytes(), shape)) not in seen:
            seen.add(key)
            paint_grid(scene, row, setup)
    return time.process_time() - start


if __name__ == "__main__":
    main()
