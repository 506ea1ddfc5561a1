"""FHIR: valid in both versions, read back as it was, nobody's identity in it, status from the signature alone."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reporting.codes import Kind, name_of
from reporting.export.content import DecisionLine, SignedBy
from reporting.export.formats import ExportFormat, export_files
from reporting.export.package import Package, load_package
from reporting.fhir import FhirVersion, build_bundle, check_bundle, fhir_files, read_bundle
from reporting.fhir.codes import RADLEX, SNOMED
from reporting.types import Report, ReportSection, ReportSentence, ReportState, SentenceSource, SentenceStatus
from runtime.errors import ReportError
from tests.read_phantoms import ReadPhantom

PROTOCOLS = ("lumbar", "cervical", "sacroiliac")
AT = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script><img src=x onerror=y> [l](javascript:x) \x00\x0b & < 10 mm"
Give = Callable[[str], Package]


@pytest.fixture(scope="module")
def package(phantoms: Callable[[str], ReadPhantom]) -> Give:
    """Return what gives the export of a read phantom with its study, read once."""
    made: dict[str, Package] = {}

    def give(protocol: str) -> Package:
        if protocol not in made:
            phantom = phantoms(protocol)
            made[protocol] = load_package(phantom.reading / "reading.json", phantom.archive)
        return made[protocol]

    return give


def _resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [row["resource"] for row in bundle["entry"] if row["resource"]["resourceType"] == kind]


def _report(bundle: dict[str, Any]) -> dict[str, Any]:
    (found,) = _resources(bundle, "DiagnosticReport")
    return found


def _with(package: Package, **changes: Any) -> Package:
    return replace(package, outgoing=replace(package.outgoing, **changes))


def _signed(package: Package, **changes: Any) -> Package:
    return _with(package, status=ReportState.SIGNED, mark=None, signature=SignedBy("Dr Example", AT), **changes)


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from _strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value)
    elif isinstance(node, str):
        yield node


@pytest.mark.parametrize("version", FhirVersion)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_round_trip_to_findings(package: Give, protocol: str, version: FhirVersion) -> None:
    given = package(protocol)
    files = {file.name: file for file in export_files(given, [ExportFormat.FHIR])}
    file = files[f"fhir/bundle-{version}.json"]
    assert file.media_type == "application/fhir+json"
    bundle = json.loads(file.content)
    check_bundle(bundle, version)
    read, findings = read_bundle(bundle), given.outgoing.findings
    assert (read.status, read.version) == ("preliminary", 1)
    assert read.findings.grades == findings.grades
    assert read.findings.measurements == findings.measurements
    assert read.findings.burden == replace(findings.burden, terms=())
    assert (read.findings.study_key, read.findings.protocol) == (findings.study_key, protocol)
    assert not [text for text in _strings(bundle) if text.startswith("/")]


@pytest.mark.parametrize("version", FhirVersion)
def test_what_was_not_assessable_has_a_reason_and_no_value(package: Give, version: FhirVersion) -> None:
    bundle = build_bundle(package("lumbar"), version)
    absent = [row for row in _resources(bundle, "Observation") if "dataAbsentReason" in row]
    assert absent
    for row in absent:
        assert not any(name.startswith("value") for name in row)
        assert row["dataAbsentReason"]["coding"][0]["code"] == "unknown"
        assert len(row["dataAbsentReason"]["text"]) > 10


@pytest.mark.parametrize("version", FhirVersion)
def test_checks_are_there_and_no_results(package: Give, version: FhirVersion) -> None:
    given = package("lumbar")
    bundle = build_bundle(given, version)
    checks = [row for row in _resources(bundle, "Observation") if len(row["category"]) == 2]
    assert len(checks) == sum(grade.is_check for grade in given.outgoing.findings.grades) > 0
    results = {row["reference"] for row in _report(bundle)["result"]}
    assert not {f"urn:uuid:{row['id']}" for row in checks} & results


def test_images_are_those_of_the_source(package: Give) -> None:
    given = package("lumbar")
    assert given.source is not None
    bundle = build_bundle(given, FhirVersion.R5)
    (study,) = _resources(bundle, "ImagingStudy")
    told = {row["uid"] for series in study["series"] for row in series["instance"]}
    assert told == set(given.source.instances)
    for chosen in _resources(bundle, "ImagingSelection"):
        (instance,) = chosen["instance"]
        held = given.source.instances[instance["uid"]]
        assert chosen["seriesUid"] == held.SeriesInstanceUID
        assert chosen["studyUid"] == held.StudyInstanceUID
        assert instance["sopClass"]["code"] == f"urn:oid:{held.SOPClassUID}"
    grade = next(row for row in given.outgoing.findings.grades if row.evidence is not None)
    assert grade.evidence is not None
    observation = next(
        row for row in _resources(bundle, "Observation") if row["identifier"][0]["value"] == grade.id
    )
    whole = {row["fullUrl"]: row["resource"] for row in bundle["entry"]}
    slices = [whole[row["reference"]] for row in observation["derivedFrom"]]
    seen = next(row for row in slices if row["resourceType"] == "ImagingSelection")
    series = given.source.series(grade.evidence.series_id)
    assert seen["instance"][0]["uid"] == series.instance_uids[grade.evidence.slice_index]


def test_without_a_source_the_study_is_told_by_its_key(package: Give) -> None:
    bundle = build_bundle(replace(package("sacroiliac"), source=None), FhirVersion.R5)
    check_bundle(bundle, FhirVersion.R5)
    (study,) = _resources(bundle, "ImagingStudy")
    assert study["status"] == "unknown"
    assert "series" not in study
    assert not _resources(bundle, "ImagingSelection")


@pytest.mark.parametrize("version", FhirVersion)
def test_nobodys_identity_leaves_unless_asked_for(package: Give, version: FhirVersion) -> None:
    given = package("sacroiliac")
    assert given.source is not None
    first = next(iter(given.source.instances.values()))
    kept = {word: first.get(word) for word in ("PatientName", "PatientBirthDate", "PatientID", "AccessionNumber")}
    first.PatientName, first.PatientBirthDate, first.PatientID = "Doe^Jane", "19700101", "P-4711"
    first.AccessionNumber, first.StudyDate = "A-0815", "20260102"
    try:
        silent = json.dumps(build_bundle(given, version))
        told = build_bundle(given, version, with_identifiers=True)
        check_bundle(told, version)
    finally:
        for word, value in kept.items():
            setattr(first, word, value)
    assert not [word for word in ("Doe", "Jane", "1970", "P-4711", "A-0815", "2026-01-02") if word in silent]
    assert [word for word in ("P-4711", "A-0815", "2026-01-02") if word in json.dumps(told)] == [
        "P-4711", "A-0815", "2026-01-02",
    ]  # fmt: skip
    assert not [word for word in ("Doe", "Jane", "1970") if word in json.dumps(told)]


@pytest.mark.parametrize("version", FhirVersion)
@pytest.mark.parametrize(
    ("state", "amends", "status", "observed"),
    [
        (ReportState.DRAFT, False, "preliminary", "preliminary"),
        (ReportState.REVIEWED, False, "preliminary", "preliminary"),
        (ReportState.SIGNED, False, "final", "final"),
        (ReportState.AMENDED, True, "preliminary", "preliminary"),
        (ReportState.SIGNED, True, "amended", "final"),
    ],
)
def test_status_comes_from_the_state(
    package: Give, version: FhirVersion, state: ReportState, amends: bool, status: str, observed: str
) -> None:
    given = package("sacroiliac")
    given = _signed(given) if state is ReportState.SIGNED else given
    bundle = build_bundle(_with(given, status=state, amended_version=1 if amends else None), version)
    check_bundle(bundle, version)
    assert _report(bundle)["status"] == read_bundle(bundle).status == status
    assert {row["status"] for row in _resources(bundle, "Observation")} == {observed}
    is_signed = state is ReportState.SIGNED
    assert ("DRAFT" in _report(bundle)["conclusion"]) is not is_signed
    assert ("timestamp" in bundle) is is_signed
    assert (len(_resources(bundle, "Provenance")) == 1) is is_signed


@pytest.mark.parametrize("version", FhirVersion)
def test_who_signed_and_decided(package: Give, version: FhirVersion) -> None:
    rows = [("g1", "accept", "Dr Example"), ("g2", "edit: early", "Dr Other"), ("gone", "accept", "Dr Other")]
    lines = tuple(DecisionLine(key, "w", "m", verdict, by, "2026-11-22 16:00") for key, verdict, by in rows)
    bundle = build_bundle(_signed(package("sacroiliac"), decisions=lines), version)
    check_bundle(bundle, version)
    assert {row["name"][0]["text"] for row in _resources(bundle, "Practitioner")} == {"Dr Example", "Dr Other"}
    signed, first, second = _resources(bundle, "Provenance")
    assert signed["recorded"] == "2026-11-22T16:30:00Z"
    assert first["recorded"] == second["recorded"] == "2026-11-22T16:00:00Z"
    assert _report(bundle)["resultsInterpreter"][0] == signed["agent"][0]["who"]
    graded = {row["identifier"][0]["value"]: row for row in _resources(bundle, "Observation")}
    assert "device" in graded["g1"]
    assert "device" not in graded["g2"]
    assert len(graded["g2"]["performer"]) == 1


def test_a_signature_without_a_name_is_no_person(package: Give) -> None:
    bundle = build_bundle(_with(_signed(package("sacroiliac")), signature=SignedBy(" ", AT)), FhirVersion.R5)
    check_bundle(bundle, FhirVersion.R5)
    assert not _resources(bundle, "Practitioner")
    assert "resultsInterpreter" not in _report(bundle)


@pytest.mark.parametrize("version", FhirVersion)
def test_hostile_text_is_shown_and_never_run(package: Give, version: FhirVersion) -> None:
    sentence = ReportSentence(SCRIPT, ("g1",), SentenceSource.COMPOSER, SentenceStatus.SUPPORTED)
    report = Report(ReportState.DRAFT, (ReportSection("impression", (sentence,)),))
    given = _signed(package("sacroiliac"), report=report, notices=(SCRIPT,), standing=SCRIPT, alert=SCRIPT)
    given = _with(given, signature=SignedBy(SCRIPT, AT))
    bundle = build_bundle(given, version)
    check_bundle(bundle, version)
    tags: set[str] = set()
    watcher = HTMLParser()
    watcher.handle_starttag = lambda tag, attrs: tags.update([tag, *(name for name, _ in attrs)])  # type: ignore[method-assign]
    told = list(_strings(bundle))
    for text in told:
        watcher.feed(text)
    assert tags <= {"div", "p", "xmlns"}
    assert not [text for text in told if "\x00" in text or "\x0b" in text]
    told.append(base64.b64decode(_report(bundle)["presentedForm"][0]["data"]).decode())
    assert not [text for text in told if "<script" in text or "<img" in text]
    assert "< 10 mm" in _report(bundle)["conclusion"].replace("&lt;", "<").replace("\\", "")


def test_the_same_report_gives_the_same_bundle_and_a_later_one_the_same_ids(
    package: Give, phantoms: Callable[[str], ReadPhantom]
) -> None:
    made = phantoms("sacroiliac")
    again = load_package(made.reading / "reading.json", made.study)
    first = fhir_files(package("sacroiliac"))
    assert first == fhir_files(again)
    draft, signed = json.loads(first[1].content), build_bundle(_signed(again, version=4), FhirVersion.R5)
    before = {row["resource"]["id"] for row in draft["entry"]}
    assert before < {row["resource"]["id"] for row in signed["entry"]}
    assert _report(draft)["meta"]["versionId"] == "1"
    assert _report(signed)["meta"]["versionId"] == "4"
    assert draft["id"] != signed["id"]


def _spoil(name: str, row: dict[str, Any]) -> None:
    if name == "element":
        row["surprise"] = 1
    elif name == "missing":
        del row["status"]
    elif name == "code":
        row["status"] = "nonsense"
    elif name == "type":
        row["component"] = "text"
    else:
        row["subject"] = {"reference": "urn:uuid:nothing"}


@pytest.mark.parametrize("version", FhirVersion)
@pytest.mark.parametrize("name", ["element", "missing", "type", "reference"])
def test_what_is_not_valid_is_refused(package: Give, version: FhirVersion, name: str) -> None:
    bundle = build_bundle(package("sacroiliac"), version)
    _spoil(name, _resources(bundle, "Observation")[0])
    with pytest.raises(ReportError, match=f"FHIR {version.name} bundle: expected a valid one"):
        check_bundle(bundle, version)


def test_unknown_codes_of_a_closed_list_are_refused(package: Give) -> None:
    bundle = build_bundle(package("sacroiliac"), FhirVersion.R5)
    _spoil("code", _report(bundle))
    with pytest.raises(ReportError, match="not one of its codes"):
        check_bundle(bundle, FhirVersion.R5)


def test_what_is_no_report_of_ours_is_refused(package: Give) -> None:
    with pytest.raises(ReportError, match="expected one DiagnosticReport, found 0"):
        read_bundle({"resourceType": "Bundle", "entry": []})
    bundle = build_bundle(package("sacroiliac"), FhirVersion.R4)
    _report(bundle)["code"] = {"text": "x"}
    with pytest.raises(ReportError, match="without its protocol"):
        read_bundle(bundle)


def test_a_reading_without_its_study_leaves_too(phantoms: Callable[[str], ReadPhantom], tmp_path: Path) -> None:
    given = load_package(phantoms("cervical").reading / "reading.json")
    for file in fhir_files(given):
        (tmp_path / Path(file.name).name).write_bytes(file.content)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("version", FhirVersion)
def test_conditions_steps_and_places_carry_the_public_codes(package: Give, version: FhirVersion) -> None:
    bundle = build_bundle(package("lumbar"), version)
    observations = _resources(bundle, "Observation")
    places = [row["includedStructure"][0]["structure"] for row in _resources(bundle, "BodyStructure")]
    sites = places or [row["bodySite"] for row in observations if "bodySite" in row]
    for kind, concepts in (
        (Kind.CONDITION, _report(bundle)["conclusionCode"]),
        (Kind.CONDITION, [row["code"] for row in observations if "valueQuantity" not in row]),
        (Kind.STEP, [row["valueCodeableConcept"] for row in observations if "valueCodeableConcept" in row]),
        (Kind.LEVEL, sites),
    ):
        snomed, radlex = (_codes(concepts, system) for system in (SNOMED, RADLEX))
        assert snomed
        assert all(name_of(kind, (code, "SCT")) for code in snomed)
        assert all(name_of(kind, (code, "RADLEX")) for code in radlex)
        assert bool(radlex) is (kind is not Kind.LEVEL)


def _codes(concepts: list[dict[str, Any]], system: str) -> set[str]:
    return {row["code"] for concept in concepts for row in concept.get("coding", ()) if row["system"] == system}
