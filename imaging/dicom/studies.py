"""Which of several studies in one folder is read: they are offered, never mixed.

A study is one Study Instance UID of one patient number; the same identifier under two patients is two studies,
as one of them is filed wrongly. Studies are offered by our own number and key; neither dates nor identities are
shown.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from imaging.dicom.slices import SliceHeader
from runtime.errors import StudyError

MOST_LISTED = 20
"""Studies that a message lists; own choice: a screenful."""


@dataclass(frozen=True)
class OfferedStudy:
    """One of the studies that were found.

    Attributes:
        number: 1 for the oldest, and so on.
        key: Our own key, 8 hexadecimal digits.
        patient: A letter for each patient number, in the order of the studies.
        slices: All its slices.
    """

    number: int
    key: str
    patient: str
    slices: tuple[SliceHeader, ...]


def offered_studies(slices: list[SliceHeader]) -> list[OfferedStudy]:
    """Return the studies that slices belong to, oldest first where their headers tell; else in a fixed order."""
    groups: dict[tuple[str, str], list[SliceHeader]] = {}
    for item in slices:
        groups.setdefault((item.instance.study_uid, item.instance.patient_hash), []).append(item)
    ordered = sorted(groups, key=lambda key: (min(item.instance.study_time for item in groups[key]), _key(key)))
    patients: dict[str, int] = {}
    for _, patient in ordered:
        patients.setdefault(patient, len(patients))
    return [
        OfferedStudy(number, _key(key), _letters(patients[key[1]]), tuple(groups[key]))
        for number, key in enumerate(ordered, start=1)
    ]


def choose_study(
    studies: list[OfferedStudy], asked: int | str | None, name: str, describe: Callable[[OfferedStudy], str]
) -> OfferedStudy:
    """Return the study to read.

    Args:
        studies: All that were found; at least one.
        asked: Number or key; None where there is only one.
        name: What was read, for messages.
        describe: Says in a few words what a study holds.

    Raises:
        StudyError: If there are several and none was asked for (code ``several_studies``), or the one asked for
        is
            not there (code ``no_such_study``). The message lists them.
    """
    wanted = str(asked).strip().lower() if asked is not None else None
    if wanted is None and len(studies) == 1:
        return studies[0]
    found = [study for study in studies if wanted in (str(study.number), study.key)]
    if len(found) == 1:
        return found[0]
    offer = _offer(studies, describe)
    if wanted is not None:
        raise StudyError(f"{name}: expected one of its studies, got {asked!r}. {offer}", code="no_such_study")
    raise StudyError(f"{name}: {_what_is_there(studies)}. {offer}", code="several_studies")


def _what_is_there(studies: list[OfferedStudy]) -> str:
    patients = len({study.patient for study in studies})
    if len({study.slices[0].instance.study_uid for study in studies}) == 1:
        return (
            f"expected the images of one patient, found {patients} patient numbers in one study; check how the "
            "files were put together"
        )
    of = f" of {patients} patients" if patients > 1 else ""
    return f"expected one study, found {len(studies)}{of}"


def _offer(studies: list[OfferedStudy], describe: Callable[[OfferedStudy], str]) -> str:
    several_patients = len({study.patient for study in studies}) > 1
    lines = []
    for study in studies[:MOST_LISTED]:
        patient = f"patient {study.patient}, " if several_patients else ""
        lines.append(f"{study.number} ({study.key}): {patient}{describe(study)}")
    more = f"; and {len(studies) - MOST_LISTED} more" if len(studies) > MOST_LISTED else ""
    return f"Choose one by its number (read --study N), oldest first: {'; '.join(lines)}{more}."


def _key(identifiers: tuple[str, str]) -> str:
    return hashlib.sha256("|".join(identifiers).encode()).hexdigest()[:8]


def _letters(index: int) -> str:
    """Return A, B ... Z, AA, AB ..."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
