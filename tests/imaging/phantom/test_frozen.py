"""The frozen test sets stay as they were: the first phantom of each is compared with what was recorded.

A file ``frozen/<setup>.json`` is written once, by ``SPINESCRIBE_FREEZE=1 pytest`` on this file, never overwritten.
"""

import itertools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaging.phantom import Phantom
from imaging.phantom.setup import load_setup
from runtime.paths import configs_dir
from tests.built_phantoms import built_phantom

RECORDS = Path(__file__).parent / "frozen"
SETS = sorted(file.stem for file in (configs_dir() / "phantom").glob("test_*.yaml"))


def record(phantom: Phantom) -> dict[str, Any]:
    """Return what is compared: the truth, and the brightness of each series (mean, median, 99 %)."""
    truth = phantom.truth()
    return {
        "version": truth["version"],
        "people": [truth["sex"], truth["age_years"]],
        "grades": [
            [item["level"], item["side"], item["condition"], item["scale"], item["grade"]]
            for item in truth["grades"]
        ],
        "levels": {item["name"]: item["centre_mm"] for item in truth["levels"]},
        "measurements": {
            f"{item['name']} {item['level']} {item['side']}": item["value"] for item in truth["measurements"]
        },
        "brightness": {
            series.role: [float(series.array.mean()), *np.percentile(series.array, (50, 99)).tolist()]
            for series in phantom.series
        },
    }


def test_every_body_region_has_its_two_sets() -> None:
    regions = ("lumbar", "cervical", "sacroiliac")
    assert sorted(f"test_{region}{kind}" for region in regions for kind in ("", "_shifted")) == SETS
    firsts = [load_setup(name).seeds for name in SETS]
    spans = sorted((row["first"], row["first"] + row["count"]) for row in firsts)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    # Training draws its seeds from below.
    assert spans[0][0] >= 900_000


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name.endswith("_shifted") else name for name in SETS]
)
def test_the_set_is_as_it_was(name: str) -> None:
    setup = load_setup(name)
    now = record(built_phantom(setup.protocol, setup.seeds["first"], name))
    file = RECORDS / f"{name}.json"
    if os.environ.get("SPINESCRIBE_FREEZE") and not file.exists():
        file.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    then = json.loads(file.read_text(encoding="utf-8"))
    assert (now["version"], now["people"], now["grades"]) == (then["version"], then["people"], then["grades"])
    assert now["measurements"] == pytest.approx(then["measurements"], abs=0.02)
    assert now["levels"].keys() == then["levels"].keys()
    for key, values in then["levels"].items():
        assert now["levels"][key] == pytest.approx(values, abs=0.01)
    for key, values in then["brightness"].items():
        assert now["brightness"][key] == pytest.approx(values, rel=0.01, abs=1.0)
