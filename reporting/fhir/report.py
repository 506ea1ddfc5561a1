"""The DiagnosticReport: one for the report, as IHE RAD IDR asks; status from the report's state alone.

A report that nobody signed is ``preliminary``, and its conclusion begins with the mark of a draft: a system that
shows the conclusion alone still shows that it is one.
"""

from __future__ import annotations

import base64
import hashlib

from anatomy import CONDITIONS, SCALES
from grading.types import Grade
from reporting.export.content import RESEARCH_USE, Outgoing
from reporting.export.text import to_markdown
from reporting.fhir import codes
from reporting.fhir.context import Context, Resource
from reporting.fhir.narrative import narrative, plain
from reporting.fhir.observations import BURDEN, place_words
from reporting.fhir.people import instant, signer
from reporting.render import escape_markdown

_IMPRESSION = "impression"


def diagnostic_report(context: Context) -> Resource:
    """Return the report."""
    outgoing = context.package.outgoing
    images: Resource = {"study" if context.is_r5 else "imagingStudy": [context.reference("ImagingStudy")]}
    signed = outgoing.signature
    return context.resource(
        "DiagnosticReport",
        meta=_meta(outgoing),
        text=narrative(_lines(outgoing)),
        identifier=[{"system": codes.STUDY, "value": outgoing.study_key}],
        status=context.report_status,
        category=[codes.concept("Radiology", codes.coding(f"{codes.TERMINOLOGY}/v2-0074", "RAD", "Radiology"))],
        code=codes.report_concept(outgoing.findings.protocol, outgoing.title),
        subject=context.reference("Patient"),
        issued=None if signed is None else instant(signed.at),
        resultsInterpreter=signer(context),
        result=_results(context),
        **images,
        conclusion=_conclusion(context),
        conclusionCode=[_conclusion_code(grade) for grade in _concluded(outgoing)],
        presentedForm=[_form(outgoing)],
    )


def _meta(outgoing: Outgoing) -> Resource:
    tags = [codes.coding(codes.MARK, "research-use", RESEARCH_USE)]
    tags += [codes.coding(codes.MARK, "draft", outgoing.mark)] if outgoing.mark else []
    return {"versionId": str(outgoing.version), "tag": tags}


def _lines(outgoing: Outgoing) -> list[str]:
    lines = [outgoing.mark or "", RESEARCH_USE, outgoing.title, outgoing.standing, outgoing.alert or ""]
    for section in outgoing.report.sections:
        lines.append(section.name.capitalize())
        lines += [sentence.text for sentence in section.sentences]
    return [*lines, *outgoing.notices, outgoing.footer]


def _results(context: Context) -> list[Resource]:
    findings = context.package.outgoing.findings
    keys = [*(item.id for item in findings.reported), *(item.id for item in findings.measurements)]
    return [context.reference("Observation", key) for key in (*keys, BURDEN)]


def _conclusion(context: Context) -> str | None:
    """Return the impression: Markdown in R5, plain text in R4."""
    outgoing = context.package.outgoing
    texts = [
        sentence.text
        for section in outgoing.report.sections
        if section.name == _IMPRESSION
        for sentence in section.sentences
    ]
    if not texts:
        return None
    lines = [outgoing.mark, outgoing.alert, *texts] if outgoing.mark else [outgoing.alert, *texts]
    told = [plain(line) for line in lines if line]
    return "\n\n".join(map(escape_markdown, told)) if context.is_r5 else "\n".join(told)


def _concluded(outgoing: Outgoing) -> list[Grade]:
    """Return the abnormal grades that the impression states."""
    stated = {
        key
        for section in outgoing.report.sections
        if section.name == _IMPRESSION
        for sentence in section.sentences
        for key in sentence.finding_ids
    }
    return [
        grade
        for grade in outgoing.findings.reported
        if grade.id in stated and grade.grade is not None and SCALES[grade.scale].step(grade.grade).is_abnormal
    ]


def _conclusion_code(grade: Grade) -> Resource:
    assert grade.grade is not None
    words = f"{CONDITIONS[grade.condition].words}: {SCALES[grade.scale].step(grade.grade).words}"
    return {**codes.condition_concept(grade.condition), "text": f"{place_words(grade.level, grade.side)}{words}"}


def _form(outgoing: Outgoing) -> Resource:
    """Return the whole report as Markdown, mark and provenance included."""
    content = to_markdown(outgoing).encode()
    return {
        "contentType": "text/markdown; charset=utf-8",
        "language": "en",
        "data": base64.b64encode(content).decode("ascii"),
        "hash": base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode("ascii"),
        "title": plain(outgoing.title),
    }
