"""Reads one MR study from DICOM files: headers first, then the pixels of the series that can be used."""

import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

from imaging import limits
from imaging.dicom.derived import is_derived
from imaging.dicom.doubles import without_doubles
from imaging.dicom.intake import NO_PLACE, Intake, take_in
from imaging.dicom.members import open_members
from imaging.dicom.series import load_candidate, plane_of, sequence_of, usable_stacks
from imaging.dicom.stacks import Stack
from imaging.dicom.studies import OfferedStudy, choose_study, offered_studies
from imaging.modality import refuse_without_series
from imaging.roles import Candidate
from imaging.types import Sequence
from runtime.errors import StudyError
from runtime.names import shown_name

_T = TypeVar("_T")


@dataclass(frozen=True)
class DicomContent:
    """What the files of a study hold.

    Attributes:
        candidates: Usable series in the order of their numbers, without roles.
        sex: ``F``, ``M`` or None.
        age_years: Or None.
        words: Plain text of body part and descriptions.
        notices: What was left out or split, and why.
    """

    candidates: tuple[Candidate, ...]
    sex: str | None
    age_years: float | None
    words: str
    notices: tuple[str, ...]


def read_dicom(path: Path, *, study: int | str | None = None) -> DicomContent:
    """Read a DICOM file, a DICOMDIR with the files it names, or the DICOM files of a folder or zip.

    Args:
        path: File or folder.
        study: Which study to read where there are several: its number from 1, or its key, as the error that offers
            them lists them.

    Raises:
        StudyError: If there is no DICOM image, a file is damaged or cut short, there are several studies and none
            or no such one was asked for, no series has a usable geometry, or a limit is passed.
        NotEligibleError: If no image is MR (code ``wrong_modality``).
    """
    name = shown_name(path.name)
    # pydicom's warnings quote what stands in the file; what matters of them is checked.
    with warnings.catch_warnings(), open_members(path) as members:
        warnings.simplefilter("ignore")
        intake = take_in(members, name)
        if not intake.slices:
            _refuse_all_left_out(intake, name)
        studies = offered_studies(list(intake.slices))
        chosen = choose_study(studies, study, name, _description)
        return _content(chosen, studies, intake, name)


def _content(chosen: OfferedStudy, studies: list[OfferedStudy], intake: Intake, name: str) -> DicomContent:
    instances = [item.instance for item in chosen.slices]
    notices = intake.notices_of(instances[0].study_uid)
    if len(studies) > 1:
        notices.append(f"Study {chosen.number} of the {len(studies)} that were found was read.")
    slices, double_notices = without_doubles(list(chosen.slices))
    stacks, stack_notices = usable_stacks(slices)
    notices += [*double_notices, *stack_notices]
    if not stacks:
        raise _nothing_usable(name, notices)
    limits.check_voxels(name, sum(_voxels(stack) for stack in stacks))
    return DicomContent(
        candidates=tuple(load_candidate(stack, f"S{number}") for number, stack in enumerate(stacks, start=1)),
        sex=_agreed({item.sex for item in instances}),
        age_years=_agreed({item.age_years for item in instances}),
        words=" ".join(dict.fromkeys(item.region_text for item in instances)),
        notices=tuple(notices),
    )


def _refuse_all_left_out(intake: Intake, name: str) -> NoReturn:
    """Raise for files of which no slice is read: for what they show, else for what their headers lack."""
    derived: Counter[str] = Counter()
    for item in intake.left_out:
        derived[item.reason] += item.count if is_derived(item.reason) else 0
    lacks_place = any(item.reason == NO_PLACE for item in intake.left_out)
    refuse_without_series(Counter() if lacks_place else +derived, name, intake.notices_of(None))


def _nothing_usable(name: str, notices: list[str]) -> StudyError:
    return StudyError(f"{name}: expected a series of MR slices, found none. {' '.join(notices)}")


def _description(study: OfferedStudy) -> str:
    """Say what a study holds without its identity: ``2 series: sagittal T2 (15 pictures), ...``."""
    stacks, _ = usable_stacks(study.slices)
    counts: Counter[tuple[int, str]] = Counter()
    for stack in stacks:
        counts[stack.slices[0].instance.series_number, _kind(stack)] += len(stack.slices)
    listed = ", ".join(f"{kind} ({pictures} pictures)" for (_, kind), pictures in counts.items())
    return f"{len(counts)} series: {listed}" if counts else f"no usable series ({len(study.slices)} pictures)"


def _kind(stack: Stack) -> str:
    sequence = sequence_of(stack).sequence
    return f"{plane_of(stack).value} {'MR' if sequence is Sequence.UNKNOWN else sequence.value.upper()}"


def _voxels(stack: Stack) -> int:
    instance = stack.slices[0].instance
    return instance.columns * instance.rows * len(stack.slices)


def _agreed(values: set[_T | None]) -> _T | None:
    """Return the one value that all headers that have one agree on, else None."""
    known = values - {None}
    return known.pop() if len(known) == 1 else None
