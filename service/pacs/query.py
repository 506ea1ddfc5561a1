"""What is asked of a node, and the rows it answers with; the same for C-FIND and QIDO-RS.

A row holds a patient's identity: it is shown to who asked, never logged; its ``repr`` leaves identity out.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pydicom import Dataset
from pydicom.multival import MultiValue

from service.pacs.errors import PacsError

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_DATE = re.compile(r"[0-9]{8}(-([0-9]{8})?)?|-[0-9]{8}")
_STUDY_KEYS = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "StudyDescription", "ModalitiesInStudy", "AccessionNumber",
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)  # fmt: skip
_SERIES_KEYS = (
    "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality",
    "NumberOfSeriesRelatedInstances",
)  # fmt: skip


class Level(StrEnum):
    """What a row is of."""

    STUDY = "study"
    SERIES = "series"


@dataclass(frozen=True)
class Query:
    """What to look for; all that is given must fit.

    Attributes:
        level: Studies, or the series of one study.
        study_instance_uid: Required for series.
        date: ``YYYYMMDD``, or a range such as ``20260101-20260131`` or ``20260101-``.
        modality: Such as ``MR``.
        patient_id: As the node knows it; ``*`` and ``?`` as DICOM has them.
        accession_number: Of the order.
        limit: Rows at most.
    """

    level: Level = Level.STUDY
    study_instance_uid: str = ""
    date: str = ""
    modality: str = ""
    patient_id: str = field(default="", repr=False)
    accession_number: str = field(default="", repr=False)
    limit: int = 200


@dataclass(frozen=True)
class Row:
    """A study or a series of a node; None is what it did not tell.

    Attributes:
        study_instance_uid: UID of the study.
        series_instance_uid: UID of the series; None for a study.
        date: Study date, ``YYYYMMDD``.
        time: Study time as the node tells it.
        description: Of the study, or of the series.
        modalities: Of the study, or of the series.
        series_number: Number of the series.
        series: Number of series in the study.
        instances: Number of instances in the study, or in the series.
        patient_name: Identity.
        patient_id: Identity.
        birth_date: Identity, ``YYYYMMDD``.
        sex: As the node tells it.
        accession_number: Identity.
    """

    study_instance_uid: str
    series_instance_uid: str | None
    date: str | None
    time: str | None
    description: str | None = field(repr=False)
    modalities: tuple[str, ...]
    series_number: int | None
    series: int | None
    instances: int | None
    patient_name: str | None = field(repr=False)
    patient_id: str | None = field(repr=False)
    birth_date: str | None = field(repr=False)
    sex: str | None
    accession_number: str | None = field(repr=False)

    def without_identity(self) -> Row:
        """Return the row without who it is of; free text goes too."""
        return replace(
            self, description=None, patient_name=None, patient_id=None, birth_date=None, accession_number=None
        )


@dataclass(frozen=True)
class Found:
    """The rows of an answer; ``is_cut`` when there are more than the limit."""

    rows: tuple[Row, ...]
    is_cut: bool


def checked(query: Query) -> Query:
    """Return the query if it can be asked.

    Raises:
        PacsError: If a UID, a date or the limit is none, or series are asked for without a study.
    """
    if query.study_instance_uid:
        check_uid(query.study_instance_uid)
    elif query.level is Level.SERIES:
        raise PacsError("a query for series needs the Study Instance UID", code="malformed")
    if query.date and not _DATE.fullmatch(query.date):
        raise PacsError("date: expected YYYYMMDD or a range such as 20260101-20260131", code="malformed")
    if query.limit < 1:
        raise PacsError(f"limit: expected at least 1, got {query.limit}", code="malformed")
    return query


def check_uid(uid: str) -> None:
    """Raise PacsError if a text is no UID: 1 to 64 digits and points (PS3.5, 9.1)."""
    if len(uid) > 64 or not _UID.fullmatch(uid):
        raise PacsError("expected a UID of at most 64 digits and points", code="malformed")


def keys_of(query: Query) -> dict[str, str]:
    """Return the attributes to match and to return (empty), by keyword."""
    if query.level is Level.SERIES:
        given = {"StudyInstanceUID": query.study_instance_uid, "Modality": query.modality}
        return dict.fromkeys(_SERIES_KEYS, "") | given
    given = {
        "StudyInstanceUID": query.study_instance_uid,
        "StudyDate": query.date,
        "ModalitiesInStudy": query.modality,
        "PatientID": query.patient_id,
        "AccessionNumber": query.accession_number,
    }
    return dict.fromkeys(_STUDY_KEYS, "") | given


def rows_of(query: Query, answers: list[Dataset]) -> Found:
    """Return the answers as rows, in the order of the node, without those of another modality.

    A node need not match by modality at study level (PS3.4, C.6.2.1.2); a study whose modalities it does not tell
    stays.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote what stands in the answer
        rows = [_row(answer) for answer in answers]
    fitting = [row for row in rows if not query.modality or not row.modalities or query.modality in row.modalities]
    return Found(tuple(fitting[: query.limit]), len(answers) > query.limit)


def _row(answer: Dataset) -> Row:
    is_series = bool(_text(answer, "SeriesInstanceUID"))
    return Row(
        study_instance_uid=_text(answer, "StudyInstanceUID") or "",
        series_instance_uid=_text(answer, "SeriesInstanceUID"),
        date=_text(answer, "StudyDate"),
        time=_text(answer, "StudyTime"),
        description=_text(answer, "SeriesDescription" if is_series else "StudyDescription"),
        modalities=_texts(answer, "Modality" if is_series else "ModalitiesInStudy"),
        series_number=_number(answer, "SeriesNumber"),
        series=_number(answer, "NumberOfStudyRelatedSeries"),
        instances=_number(
            answer, "NumberOfSeriesRelatedInstances" if is_series else "NumberOfStudyRelatedInstances"
        ),
        patient_name=_text(answer, "PatientName"),
        patient_id=_text(answer, "PatientID"),
        birth_date=_text(answer, "PatientBirthDate"),
        sex=_text(answer, "PatientSex"),
        accession_number=_text(answer, "AccessionNumber"),
    )


def _texts(answer: Dataset, keyword: str) -> tuple[str, ...]:
    value = answer.get(keyword)
    if value is None:
        return ()
    values = value if isinstance(value, MultiValue | list | tuple) else [value]
    return tuple(text for text in (str(item).strip() for item in values) if text)


def _text(answer: Dataset, keyword: str) -> str | None:
    return "\\".join(_texts(answer, keyword)) or None


def _number(answer: Dataset, keyword: str) -> int | None:
    text = _text(answer, keyword)
    return int(text) if text is not None and text.isdecimal() else None
