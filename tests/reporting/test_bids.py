"""The BIDS derivative: names and required keys by the specification, segmentations read back by nibabel."""

import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from anatomy.structures import label_codes
from imaging.geometry import source_affine, undo_axes
from imaging.types import Plane, SourceKind
from reporting.bids import bids_files
from reporting.export.package import Package, Source, load_package
from runtime.errors import StudyError
from tests.read_phantoms import ReadPhantom

PROTOCOLS = ("lumbar", "cervical", "sacroiliac")
# Order of entities: BIDS 1.10.0, src/schema/rules/entities.yaml and rules/files/deriv/imaging.yaml (dseg of anat).
DSEG = re.compile(
    r"sub-[0-9a-zA-Z]+/(ses-[0-9a-zA-Z]+/)?anat/sub-[0-9a-zA-Z]+(_ses-[0-9a-zA-Z]+)?(_acq-[0-9a-zA-Z]+)?"
    r"(_ce-[0-9a-zA-Z]+)?(_rec-[0-9a-zA-Z]+)?(_run-[0-9]+)?(_space-[0-9a-zA-Z]+)?(_seg-[0-9a-zA-Z]+)?"
    r"(_res-[0-9a-zA-Z]+)?(_desc-[0-9a-zA-Z]+)?_dseg\.(nii\.gz|nii|json|tsv)"
)
TOP = {"dataset_description.json", "README", ".bidsignore"}
IGNORED = re.compile(r"sub-[^/]*/([^/]*_(findings|measurements)\.[^/]*|report/.*)")


def package_of(made: ReadPhantom) -> Package:
    return load_package(made.reading / "reading.json", made.archive)


def contents(package: Package) -> dict[str, bytes]:
    files = {file.name: file.content for file in bids_files(package)}
    assert all(name.startswith("bids/") for name in files)
    return {name.removeprefix("bids/"): content for name, content in files.items()}


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode()), delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_names_and_required_keys_follow_the_specification(
    phantoms: Callable[[str], ReadPhantom], protocol: str
) -> None:
    files = contents(package_of(phantoms(protocol)))
    assert files.keys() >= TOP
    for name in files.keys() - TOP:
        assert DSEG.fullmatch(name) or IGNORED.fullmatch(name), name
    told = json.loads(files["dataset_description.json"])
    assert told["DatasetType"] == "derivative"
    assert {"Name", "BIDSVersion"} <= told.keys()
    assert [row["Name"] for row in told["GeneratedBy"]] == ["SpineScribe"]
    assert "DRAFT" in told["GeneratedBy"][0]["Description"]
    assert b"DRAFT" in files["README"]
    for name in (name for name in files if name.endswith(".nii.gz")):
        sidecar = json.loads(files[name.replace(".nii.gz", ".json")])
        assert sidecar["SpatialReference"] == "orig"
        assert sidecar["Manual"] is False


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_segmentations_lie_on_the_grid_of_their_source(
    phantoms: Callable[[str], ReadPhantom], protocol: str
) -> None:
    package = package_of(phantoms(protocol))
    files = contents(package)
    found = {}
    for name in (name for name in files if name.endswith(".nii.gz")):
        series_id = json.loads(files[name.replace(".nii.gz", ".json")])["SpineScribeSeries"]
        image = nib.Nifti1Image.from_bytes(gzip.decompress(files[name]))
        volume = package.require_source().series(series_id).volume
        stored = undo_axes(package.label_maps[series_id], volume.source_axes)
        np.testing.assert_array_equal(np.asarray(image.dataobj), stored)
        np.testing.assert_allclose(image.affine, source_affine(volume), atol=1e-4)
        table = rows(files[name.replace(".nii.gz", ".tsv")])
        assert {int(row["index"]) for row in table} == set(np.unique(stored).tolist()) - {0}
        assert all(row["name"] == label_codes()[int(row["index"])].name for row in table)
        assert all(re.fullmatch(r"#[0-9a-f]{6}", row["color"]) for row in table)
        found[series_id] = name
    assert found.keys() == package.label_maps.keys()
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tables_hold_every_finding_and_explain_every_column(
    phantoms: Callable[[str], ReadPhantom], protocol: str
) -> None:
    package = package_of(phantoms(protocol))
    files = contents(package)
    (grades,) = (name for name in files if name.endswith("_findings.tsv"))
    (values,) = (name for name in files if name.endswith("_measurements.tsv"))
    findings = package.outgoing.findings
    told = {row["finding_id"]: row for row in rows(files[grades])}
    assert list(told) == [grade.id for grade in findings.grades]
    for grade in findings.grades:
        row = told[grade.id]
        assert row["grade"] == (grade.grade or "n/a")
        assert row["level"] == (grade.level or "n/a")
        assert row["status"] == grade.status.value
        assert row["report_status"] == "draft"
        assert row["prediction_set"] == ("|".join(grade.prediction_set) or "n/a")
    measured = {row["measurement_id"]: row for row in rows(files[values])}
    for item in findings.measurements:
        assert measured[item.id]["value"] == ("n/a" if item.value is None else str(item.value))
        assert measured[item.id]["unit"] == item.unit
    for name in (grades, values):
        columns = files[name].decode().split("\n")[0].split("\t")
        dictionary = json.loads(files[name.replace(".tsv", ".json")])
        assert set(columns) <= dictionary.keys()
        assert all(line.count("\t") == len(columns) - 1 for line in files[name].decode().splitlines())


def test_series_that_are_alike_are_told_apart(phantoms: Callable[[str], ReadPhantom]) -> None:
    package = package_of(phantoms("sacroiliac"))
    source = package.require_source()
    alike = tuple(
        replace(item, sequence=source.study.series[0].sequence, plane=Plane.UNKNOWN)
        for item in source.study.series
    )
    names = contents(replace(package, source=Source(source.path, replace(source.study, series=alike))))
    assert sum("acq-obliqueT1_run-1_" in name for name in names) == 3
    assert sum("acq-obliqueT1_run-2_" in name for name in names) == 3
    assert all(DSEG.fullmatch(name) for name in names if "/anat/" in name)


def test_hostile_text_stays_in_its_cell(phantoms: Callable[[str], ReadPhantom]) -> None:
    package = package_of(phantoms("sacroiliac"))
    findings = package.outgoing.findings
    first, *others = findings.grades
    evil = replace(first, reason="a\tb\nc\r\n\x0b=1+1 'x'")
    outgoing = replace(package.outgoing, findings=replace(findings, grades=(evil, *others)))
    files = contents(replace(package, outgoing=outgoing))
    (table,) = (content for name, content in files.items() if name.endswith("_findings.tsv"))
    assert rows(table)[0]["reason"] == "a b c =1+1 'x'"


def test_without_the_study_there_is_no_grid(phantoms: Callable[[str], ReadPhantom]) -> None:
    with pytest.raises(StudyError, match="--source"):
        bids_files(load_package(phantoms("sacroiliac").reading / "reading.json"))


def test_the_same_reading_gives_the_same_bytes(phantoms: Callable[[str], ReadPhantom]) -> None:
    package = package_of(phantoms("sacroiliac"))
    assert contents(package) == contents(package)


def test_nothing_of_the_patient_leaves(phantoms: Callable[[str], ReadPhantom]) -> None:
    package = package_of(phantoms("sacroiliac"))
    instance = next(iter(package.require_source().instances.values()))
    words = [str(instance.PatientName), str(instance.PatientID), str(instance.StudyInstanceUID)]
    for name, content in contents(package).items():
        for word in filter(None, words):
            assert word not in name
            assert word.encode() not in content


def test_a_study_without_label_maps_says_why(phantoms: Callable[[str], ReadPhantom]) -> None:
    package = replace(package_of(phantoms("sacroiliac")), label_maps={})
    files = contents(package)
    assert not [name for name in files if "/anat/" in name]
    assert b"the reading outlined no structure" in files["README"]
    source = package.require_source()
    picture = Source(source.path, replace(source.study, source=SourceKind.PICTURE))
    assert b"the study was a picture" in contents(replace(package, source=picture))["README"]
