"""Run all parts of the writer's benchmark but the showcase: ``python -m benchmarks.writer``."""

import runpy
import sys

PARTS = ("channels", "captions", "consistency", "speed")

for part in PARTS:
    print(f"\n## {part}\n", flush=True)
    sys.argv = [part]
    runpy.run_module(f"benchmarks.writer.{part}", run_name="__main__")
