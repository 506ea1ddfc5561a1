"""A part for tests: ``python -m tests.benchmarks.fake_part FILE JSON`` writes a record, with ``fail`` it fails."""

import sys
from pathlib import Path

if sys.argv[1] == "fail":
    sys.exit("fake part: no such weights")
Path(sys.argv[1]).write_text(sys.argv[2], encoding="utf-8")
