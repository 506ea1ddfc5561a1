"""Every entry of the export menu, for studies of all three regions: it leaves the service, and it is valid."""

import gzip
import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docx
import nibabel
import pydicom
import pytest
from fastapi.testclient import TestClient
from pydicom.uid import (
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pypdf import PdfReader

from reporting.fhir import FhirVersion, check_bundle
from service.accounts.actor import Actor
from service.api import exports
from service.export import Format
from service.export.request import SINGLE
from service.pages import routes
from service.services import Services
from tests.read_phantoms import ReadPhantom
from tests.reporting.dicom.validators import dciodvfy
from tests.service.export.kept import keep, unzipped

PROTOCOLS = ("lumbar", "cervical", "sacroiliac")
MENU = Path(routes.__file__).parent / "static" / "js" / "reading" / "exports.js"


@dataclass(frozen=True)
class Left:
    """What left the service.

    Attributes:
        files: Name -> content, of a zip without its index.
        folder: Where things may be put.
        document: The reading it is of.
    """

    files: dict[str, bytes]
    folder: Path
    document: dict[str, Any]

    def report(self, ending: str) -> bytes:
        """Return the report as a file."""
        (content,) = (found for name, found in self.files.items() if "/" not in name and name.endswith(ending))
        return content

    def has_impression(self, text: str) -> None:
        """Make sure that a text holds every sentence of the impression."""
        plain = " ".join(text.split())
        assert self.impression
        assert [sentence for sentence in self.impression if sentence not in plain] == []

    @property
    def impression(self) -> list[str]:
        """Return the sentences of the impression."""
        (section,) = (item for item in self.document["report"]["sections"] if item["name"] == "impression")
        return [sentence["text"] for sentence in section["sentences"]]


def test_the_menu_has_every_format_of_the_service() -> None:
    assert sorted(re.findall(r'\["([a-z-]+)", "', MENU.read_text(encoding="utf-8"))) == sorted(Format)


@pytest.fixture
def leave(
    services: Services,
    radiologist: Actor,
    phantoms: Callable[[str], ReadPhantom],
    client_of: Callable[..., TestClient],
    tmp_path: Path,
) -> Callable[[str, Format], Left]:
    """Return a function (protocol, format) -> what the service hands out of that phantom."""

    def get(protocol: str, kind: Format) -> Left:
        made = phantoms(protocol)
        study = keep(services, radiologist, made)
        answer = client_of([exports.router], radiologist).get(f"/api/v1/studies/{study}/export/{kind.value}")
        assert answer.status_code == 200
        document = json.loads((made.reading / "reading.json").read_text(encoding="utf-8"))
        (name,) = re.findall(r'filename="([^"]+)"', answer.headers["Content-Disposition"])
        is_zip = kind not in SINGLE
        assert name.endswith(".zip") == is_zip
        return Left(_listed(answer.content, document) if is_zip else {name: answer.content}, tmp_path, document)

    return get


def _listed(content: bytes, document: dict[str, Any]) -> dict[str, bytes]:
    """Return the files of a zip, which its index tells by their checksums."""
    files = unzipped(content)
    index = json.loads(files.pop("export.json"))
    assert index["files"] == {name: hashlib.sha256(found).hexdigest() for name, found in files.items()}
    assert index["left_out"] == {}
    assert (index["study_key"], index["status"]) == (document["study"]["key"], "draft")
    return files


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_everything_leaves_and_is_valid(leave: Callable[[str, Format], Left], protocol: str) -> None:
    left = leave(protocol, Format.ALL)
    told = {name.partition("/")[0] if "/" in name else name.rpartition(".")[2] for name in left.files}
    assert told == {kind.value for kind in CHECKS} - {"json"}
    for kind in CHECKS.keys() - {Format.JSON}:
        CHECKS[kind](left)


ALONE = [kind for kind in Format if kind in SINGLE or kind is Format.SEG]
REST = [kind for kind in Format if kind not in (*ALONE, Format.ALL)]  # as part of everything they are tried above


@pytest.mark.parametrize("kind", [*ALONE, *(pytest.param(kind, marks=pytest.mark.slow) for kind in REST)])
def test_each_entry_leaves_alone_and_is_valid(leave: Callable[[str, Format], Left], kind: Format) -> None:
    CHECKS[kind](leave("sacroiliac", kind))


def _check_markdown(left: Left) -> None:
    left.has_impression(re.sub(r"\\(.)", r"\1", left.report(".md").decode()))


def _check_html(left: Left) -> None:
    page = left.report(".html").decode()
    left.has_impression(re.sub(r"<[^>]+>", "", page))
    assert page.count("DRAFT - not reviewed, not signed") >= 2


def _check_pdf(left: Left) -> None:
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(left.report(".pdf"))).pages]
    left.has_impression(" ".join(pages))
    assert all("DRAFT - not reviewed, not signed" in page for page in pages)


def _check_docx(left: Left) -> None:
    document = docx.Document(io.BytesIO(left.report(".docx")))
    left.has_impression(" ".join(paragraph.text for paragraph in document.paragraphs))
    assert len(document.inline_shapes) >= 2


def _check_csv(left: Left) -> None:
    tables = {name: content for name, content in left.files.items() if name.startswith("csv/")}
    rows = {name: content.decode("utf-8-sig").count("\r\n") - 1 for name, content in tables.items()}
    assert rows["csv/grades.csv"] == len(left.document["grades"])
    assert rows["csv/measurements.csv"] == len(left.document["measurements"])
    assert rows["csv/levels.csv"] == len(left.document["levels"])
    assert rows["csv/sentences.csv"] >= len(left.impression)


def _objects(left: Left, prefix: str, sop_class: str) -> list[pydicom.Dataset]:
    """Return the DICOM objects below a folder, of one class, of one study and without an error of dciodvfy."""
    found = []
    for name, content in left.files.items():
        if name.startswith(prefix):
            path = left.folder / name.replace("/", "-")
            path.write_bytes(content)
            assert dciodvfy(path) == []
            found.append(pydicom.dcmread(path))
    assert found
    assert {item.SOPClassUID for item in found} == {sop_class}
    assert len({item.StudyInstanceUID for item in found}) == 1
    return found


def _check_seg(left: Left) -> None:
    found = _objects(left, "seg/", SegmentationStorage)
    assert len(found) == len(left.document["label_maps"])
    assert all(item.NumberOfFrames > 0 for item in found)


def _check_sr(left: Left) -> None:
    (found,) = _objects(left, "sr/", ComprehensiveSRStorage)
    assert (found.VerificationFlag, found.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")


def _check_dicom_pdf(left: Left) -> None:
    (found,) = _objects(left, "dicom-pdf/", EncapsulatedPDFStorage)
    pages = PdfReader(io.BytesIO(found.EncapsulatedDocument)).pages
    left.has_impression(" ".join(page.extract_text() for page in pages))


def _check_key_images(left: Left) -> None:
    found = _objects(left, "key-images/", SecondaryCaptureImageStorage)
    assert all(item.pixel_array.max() > 200 for item in found)
    assert all("AI DRAFT" in item.ImageComments for item in found)


def _check_fhir(left: Left) -> None:
    for version in FhirVersion:
        bundle = json.loads(left.files[f"fhir/bundle-{version.name.lower()}.json"])
        check_bundle(bundle, version)
        (report,) = (row["resource"] for row in bundle["entry"] if "conclusion" in row["resource"])
        assert report["status"] == "preliminary"
        left.has_impression(report["conclusion"])


def _check_bids(left: Left) -> None:
    files = left.files
    assert json.loads(files["bids/dataset_description.json"])["DatasetType"] == "derivative"
    maps = [content for name, content in files.items() if name.endswith("_dseg.nii.gz")]
    assert len(maps) == len(left.document["label_maps"])
    for content in maps:
        assert nibabel.Nifti1Image.from_bytes(gzip.decompress(content)).get_fdata().max() > 0


def _check_json(left: Left) -> None:
    content = json.loads(left.report(".json"))
    assert content["mark"] == "DRAFT - not reviewed, not signed"
    assert len(content["machine_findings"]) == len(left.document["grades"])


CHECKS: dict[Format, Callable[[Left], None]] = {
    Format.MARKDOWN: _check_markdown,
    Format.HTML: _check_html,
    Format.CSV: _check_csv,
    Format.PDF: _check_pdf,
    Format.DOCX: _check_docx,
    Format.SEG: _check_seg,
    Format.SR: _check_sr,
    Format.DICOM_PDF: _check_dicom_pdf,
    Format.KEY_IMAGES: _check_key_images,
    Format.FHIR: _check_fhir,
    Format.BIDS: _check_bids,
    Format.JSON: _check_json,
}
