"""The BIDS derivative under the official validator, run by Deno without any right to the network."""

import importlib.util
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from imaging.types import Plane
from reporting.bids import bids_files
from reporting.export.package import Package, Source, load_package
from tests.read_phantoms import ReadPhantom

PROTOCOLS = ("lumbar", "cervical", "sacroiliac")
AUTHORS = ("warning", "TOO_FEW_AUTHORS", "/dataset_description.json")
"""A hint: a reading has no authors to name."""
_SECONDS = 60


def issues_of(folder: Path) -> set[tuple[str, str, str]]:
    """Return severity, code and place of what the validator finds. Skips where it is not installed."""
    found = importlib.util.find_spec("bids_validator_deno")
    if found is None or found.origin is None:
        pytest.skip("the BIDS validator is not installed (bids-validator-deno, extra test, on Linux)")
    from deno import find_deno_bin

    script = Path(found.origin).parent / "bids-validator.js"
    done = subprocess.run(
        [find_deno_bin(), "run", "--no-prompt", "--allow-read", "--allow-env", str(script), str(folder), "--json"],
        capture_output=True, text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)["issues"]["issues"]
    return {(item["severity"], item["code"], item["location"]) for item in told}


def write(package: Package, folder: Path, *, named: Mapping[str, str] | None = None) -> Path:
    """Write the derivative, with words of file names replaced; return its root."""
    for file in bids_files(package):
        name = file.name
        for word, other in (named or {}).items():
            name = name.replace(word, other)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    return folder / "bids"


def package_of(made: ReadPhantom) -> Package:
    return load_package(made.reading / "reading.json", made.archive)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_validator_finds_no_fault(
    phantoms: Callable[[str], ReadPhantom], protocol: str, tmp_path: Path
) -> None:
    assert issues_of(write(package_of(phantoms(protocol)), tmp_path)) == {AUTHORS}


def test_series_that_are_alike_and_a_study_without_label_maps_are_valid(
    phantoms: Callable[[str], ReadPhantom], tmp_path: Path
) -> None:
    package = package_of(phantoms("sacroiliac"))
    source = package.require_source()
    sequence = source.study.series[0].sequence
    alike = tuple(replace(item, sequence=sequence, plane=Plane.UNKNOWN) for item in source.study.series)
    twins = replace(package, source=Source(source.path, replace(source.study, series=alike)))
    assert issues_of(write(twins, tmp_path / "twins")) == {AUTHORS}
    assert issues_of(write(replace(package, label_maps={}), tmp_path / "bare")) == {AUTHORS}


def test_the_validator_would_find_a_wrong_name(phantoms: Callable[[str], ReadPhantom], tmp_path: Path) -> None:
    package = package_of(phantoms("sacroiliac"))
    found = issues_of(write(package, tmp_path, named={"_dseg.": "_outlines."}))
    assert {severity for severity, _, place in found if "_outlines." in place} == {"error"}
