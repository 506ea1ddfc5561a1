"""The images: ImagingStudy with the series and instances that were read, ImagingSelection (R5) for single slices.

DICOM UIDs are told where the source was given as DICOM: without them nobody finds the images. A study that was not
given, or was no DICOM, is told by its key and the number of its series, its availability as unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from imaging.types import Series, SourceKind
from reporting.fhir import codes
from reporting.fhir.context import Context, Resource
from reporting.fhir.narrative import plain

_MR = codes.coding(codes.DCM, "MR", "Magnetic Resonance")
_URI = "urn:ietf:rfc:3986"


def imaging_study(context: Context) -> Resource:
    """Return the study."""
    told = context.package.document["study"]["series"]
    series = [_series(context, item) for item in dicom_series(context)]
    return context.resource(
        "ImagingStudy",
        identifier=_identifiers(context),
        status="available" if series else "unknown",
        subject=context.reference("Patient"),
        modality=[_modality(context)],
        started=_started(context),
        numberOfSeries=len(series) or len(told),
        numberOfInstances=sum(item["numberOfInstances"] for item in series) or None,
        series=series,
    )


def dicom_series(context: Context) -> tuple[Series, ...]:
    """Return the series of the source that are DICOM; none without one."""
    source = context.package.source
    if source is None or source.study.source is not SourceKind.DICOM:
        return ()
    return source.study.series


def image_references(context: Context, series_id: str | None, slice_index: int | None) -> list[Resource]:
    """Return what an observation was derived from: the study, and in R5 the very slice."""
    found = [context.reference("ImagingStudy")]
    is_known = any(item.id == series_id for item in dicom_series(context))
    if context.is_r5 and is_known and slice_index is not None:
        found.append(context.reference("ImagingSelection", f"{series_id}/{slice_index}"))
    return found


def imaging_selections(context: Context) -> Iterator[Resource]:
    """Yield each slice that a grade or a measurement was derived from, for R5."""
    findings = context.package.outgoing.findings
    seen = [(item.evidence.series_id, item.evidence.slice_index) for item in findings.grades if item.evidence]
    seen += [(item.series_id, item.slice_index) for item in findings.measurements if item.slice_index is not None]
    series = {item.id: item for item in dicom_series(context)}
    for series_id, k in dict.fromkeys(seen):
        if series_id in series:
            yield _selection(context, series[series_id], k)


def _selection(context: Context, series: Series, k: int) -> Resource:
    instance = _instances(context)[series.instance_uids[k]]
    frame = {"subset": [str(series.frame_numbers[k])]} if series.frame_numbers else {}
    return context.resource(
        "ImagingSelection",
        f"{series.id}/{k}",
        status="available",
        subject=context.reference("Patient"),
        code=codes.concept("slice that was graded or measured", codes.coding(codes.KIND, "evidence")),
        derivedFrom=[context.reference("ImagingStudy")],
        studyUid=str(instance.StudyInstanceUID),
        seriesUid=series.series_instance_uid,
        instance=[{"uid": series.instance_uids[k], "sopClass": _sop_class(instance), **frame}],
    )


def _series(context: Context, series: Series) -> Resource:
    found = _instances(context)
    instances = [
        {"uid": uid, "sopClass": _sop_class(found[uid]), **_number(found[uid], "InstanceNumber")}
        for uid in dict.fromkeys(series.instance_uids)
    ]
    return {
        "uid": series.series_instance_uid,
        **_number(found[series.instance_uids[0]], "SeriesNumber"),
        "modality": _modality(context),
        "description": (series.role or "no role").replace("_", " "),
        "numberOfInstances": len(instances),
        "instance": instances,
    }


def _identifiers(context: Context) -> list[Resource]:
    found: list[Resource] = [{"system": codes.STUDY, "value": context.package.outgoing.study_key}]
    for uid in sorted({str(item.StudyInstanceUID) for item in _instances(context).values()}):
        found.append({"system": codes.DICOM_UID, "value": f"urn:oid:{uid}"})
    number = source_value(context, "AccessionNumber")
    if number:
        kind = codes.concept("Accession ID", codes.coding(f"{codes.TERMINOLOGY}/v2-0203", "ACSN"))
        found.append({"type": kind, "value": number})
    return found


def source_value(context: Context, keyword: str) -> str:
    """Return what the source says of its patient or study; nothing unless identifiers were asked for."""
    if not context.with_identifiers:
        return ""
    first = next(iter(_instances(context).values()), None)
    return "" if first is None else plain(str(first.get(keyword) or "")).strip()


def _started(context: Context) -> str | None:
    date = source_value(context, "StudyDate")
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdigit() else None


def _instances(context: Context) -> dict[str, Any]:
    """Return SOP Instance UID -> instance of the source, a pydicom data set."""
    source = context.package.source
    return source.instances if source is not None and dicom_series(context) else {}


def _modality(context: Context) -> Resource:
    return {"coding": [_MR]} if context.is_r5 else _MR


def _sop_class(instance: Any) -> Resource:
    return codes.coding(_URI, f"urn:oid:{instance.SOPClassUID}")


def _number(instance: Any, keyword: str) -> Resource:
    """Return a number of the source; FHIR's are unsigned."""
    value = instance.get(keyword)
    return {"number": int(value)} if value is not None and str(value).isdigit() else {}
