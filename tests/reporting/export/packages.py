"""Packages that export tests start from: a phantom's, one with a hostile text, one without its study."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from reporting.export.content import SignedBy
from reporting.export.package import Package, load_package
from reporting.types import ReportSection, ReportSentence, ReportState, SentenceSource, SentenceStatus
from tests.read_phantoms import ReadPhantom

PROTOCOLS = ("lumbar", "cervical", "sacroiliac")
HOSTILE = "<script>alert('x')</script> <b>&amp;</b> \x00\x0b\x1b[31m =cmd|' /C calc'!A0 Грыжа, 19 µm \U0001f9b4"

Phantoms = Callable[[str], ReadPhantom]


@cache
def _loaded(made: ReadPhantom) -> Package:
    return load_package(made.reading / "reading.json", made.archive)


def package_of(phantoms: Phantoms, protocol: str) -> Package:
    """Return the package of a phantom, loaded once."""
    return _loaded(phantoms(protocol))


def without_source(package: Package) -> Package:
    """Return what an export knows when the study is not given."""
    return replace(package, source=None, label_maps={})


def signed(package: Package) -> Package:
    """Return a package whose report is signed."""
    report = replace(package.outgoing.report, state=ReportState.SIGNED)
    by = SignedBy("Dr A. Reader", datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    outgoing = replace(
        package.outgoing, status=ReportState.SIGNED, mark=None, standing="Signed by Dr A. Reader.", report=report,
        signature=by,
    )  # fmt: skip
    return replace(package, outgoing=outgoing)


def hostile(package: Package, text: str = HOSTILE) -> Package:
    """Return a package whose report holds a text that means something to some program."""
    sentence = ReportSentence(text, (), SentenceSource.COMPOSER, SentenceStatus.SUPPORTED, replaced_text=text)
    sections = (*package.outgoing.report.sections, ReportSection("comment", (sentence,)))
    report = replace(package.outgoing.report, sections=sections)
    return replace(package, outgoing=replace(package.outgoing, report=report, standing=text, notices=(text,)))
