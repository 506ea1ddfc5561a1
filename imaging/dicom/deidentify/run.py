"""De-identifies a file, folder or zip into a new folder: list, order, clean, check, write, report.

Files that are no DICOM image are left out by rule, files that are damaged or cannot be made safe are bad; both are
listed by their number in the input, never by name. Nothing is written that did not pass the check.
"""

import logging
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from imaging import limits
from imaging.dicom.deidentify.burned_in import pixel_warnings
from imaging.dicom.deidentify.clean import Cleaner
from imaging.dicom.deidentify.instances import cleaned_file, read_instance, why_damaged, why_unusable
from imaging.dicom.deidentify.keys import Keys
from imaging.dicom.deidentify.report import Report, write_report
from imaging.dicom.deidentify.types import DeidentifyOptions, IdentityLeftError, Log, Outcome
from imaging.dicom.members import Member, open_members
from imaging.dicom.values import BROKEN, number, text
from imaging.sniff import FileKind
from runtime.errors import ConfigError, LimitError, NotEligibleError, StudyError

_LOGGER = logging.getLogger(__name__)
_TAGS = [
    "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
    "SeriesNumber", "InstanceNumber", "PatientID", "Rows",
]  # fmt: skip
_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True)
class _Entry:
    """One image to clean; ``output`` is its place in the output folder."""

    index: int
    member: Member
    study_uid: str
    series_uid: str
    instance_uid: str
    patient: str
    number: tuple[float, float]


def deidentify_path(path: Path, out: Path, *, options: DeidentifyOptions | None = None) -> Report:
    """Write de-identified copies of all DICOM images of a file, folder or zip, and a report of what was done.

    Args:
        path: The input; never changed.
        out: New or empty folder, not inside the input. Gets ``study-01/series-001/image-0001.dcm`` ...,
            ``deidentification.json`` and ``deidentification.md``.
        options: See ``DeidentifyOptions``.

    Returns:
        The report as written.

    Raises:
        ConfigError: If the folder is not empty or cannot be made, or the secret is too short.
        StudyError: If there is no DICOM file, a study mixes patients, or no image could be written.
        NotEligibleError: If there are DICOM objects and none is an image.
    """
    chosen = options or DeidentifyOptions()
    keys = Keys(chosen.secret)
    _check_folders(path, out)
    log = Log()
    with _without_quotes(), open_members(path) as members:
        entries, outcomes = _list_images(members)
        patients = _patients(entries)
        places = _places(entries, keys)
        for entry in entries:
            cleaner = Cleaner(keys, keys.subject(patients[entry.study_uid]), chosen.keep_characteristics, log)
            outcomes.append(_write_one(entry, cleaner, out, places[entry.index], chosen))
    report = Report(chosen, tuple(sorted(outcomes, key=lambda item: item.index)), log, len(set(patients)))
    write_report(report, out)
    _check_written(report)
    return report


@contextmanager
def _without_quotes() -> Iterator[None]:
    """Keep pydicom from judging values: its warnings quote them, names included."""
    with disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_folders(path: Path, out: Path) -> None:
    if not path.exists():
        raise StudyError("expected a DICOM file, folder or zip, found no such file")
    if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
        raise ConfigError("--out: expected a folder outside the input, got one inside it")
    try:
        out.mkdir(parents=True, exist_ok=True)
        is_empty = not any(out.iterdir())
    except OSError as error:
        raise ConfigError(f"--out: expected a folder that can be written ({error.strerror})") from error
    if not is_empty:
        raise ConfigError("--out: expected a new or empty folder, got one with files in it")


def _list_images(members: list[Member]) -> tuple[list[_Entry], list[Outcome]]:
    """Return the images, and what became of everything else."""
    entries: list[_Entry] = []
    outcomes: list[Outcome] = []
    for index, member in enumerate(members, start=1):
        if member.kind is not FileKind.DICOM:
            outcomes.append(Outcome(index, None, f"not DICOM: {member.kind.value}"))
        elif member.is_directory:
            outcomes.append(Outcome(index, None, "a DICOMDIR: it lists names and numbers of the originals"))
        else:
            listed = _listed(index, member)
            (entries if isinstance(listed, _Entry) else outcomes).append(listed)  # type: ignore[arg-type]
    return entries, outcomes


def _listed(index: int, member: Member) -> _Entry | Outcome:
    try:
        limits.check_file_size(f"file {index}", member.size)
        with member.open() as stream:
            header = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
    except LimitError as error:
        return Outcome(index, None, f"passes a limit of intake ({error.code})", is_bad=True)
    except (StudyError, *BROKEN) as error:
        return Outcome(index, None, f"damaged or cut short ({type(error).__name__})", is_bad=True)
    if "SOPClassUID" not in header:
        return Outcome(index, None, "damaged or cut short (no SOP class)", is_bad=True)
    if (reason := why_unusable(header)) is not None:
        return Outcome(index, None, reason)
    if not all(text(header, name) for name in _UIDS):
        return Outcome(index, None, "an image without its UIDs", is_bad=True)
    return _entry(index, member, header)


def _entry(index: int, member: Member, header: Dataset) -> _Entry:
    instance, study, series = (text(header, name) for name in _UIDS)
    patient = text(header, "PatientID")
    order = (number(header, "SeriesNumber") or 0.0, number(header, "InstanceNumber") or 0.0)
    return _Entry(index, member, study, series, instance, patient, order)


def _patients(entries: list[_Entry]) -> dict[str, str]:
    """Return the patient of each study: its number, or the study itself where none is given.

    Raises:
        StudyError: If a study holds images of two patients.
    """
    numbers: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        numbers[entry.study_uid].add(entry.patient)
    patients = {}
    for study, found in numbers.items():
        named = found - {""}
        if len(named) > 1:
            raise StudyError(
                f"expected the images of one patient in a study, found {len(named)} patient numbers; check how "
                "the files were put together"
            )
        patients[study] = f"patient {named.pop()}" if named else f"study {study}"
    return patients


def _places(entries: list[_Entry], keys: Keys) -> dict[int, str]:
    """Return the output path of each image, by numbers that tell nothing of the input's names."""
    studies = sorted({entry.study_uid for entry in entries}, key=keys.order)
    places = {}
    for number_of_study, study in enumerate(studies, start=1):
        of_study = [entry for entry in entries if entry.study_uid == study]
        first = {entry.series_uid: entry.number[0] for entry in of_study}
        for number_of_series, series in enumerate(
            sorted(first, key=lambda uid: (first[uid], keys.order(uid))), start=1
        ):
            images = [entry for entry in of_study if entry.series_uid == series]
            images.sort(key=lambda entry: (entry.number[1], keys.order(entry.instance_uid)))
            for count, entry in enumerate(images, start=1):
                folder = f"study-{number_of_study:02d}/series-{number_of_series:03d}"
                places[entry.index] = f"{folder}/image-{count:04d}.dcm"
    return places


def _write_one(entry: _Entry, cleaner: Cleaner, out: Path, place: str, options: DeidentifyOptions) -> Outcome:
    try:
        instance = read_instance(entry.member)
        if (damage := why_damaged(instance)) is not None:
            return Outcome(entry.index, None, f"damaged or cut short ({damage})", is_bad=True)
        content, noticed = cleaned_file(instance, cleaner, pixel_warnings)
    except IdentityLeftError as error:
        _LOGGER.error("file %d: %s", entry.index, error)
        return Outcome(entry.index, None, f"our check failed: {error}", is_bad=True, is_our_fault=True)
    except (StudyError, *BROKEN) as error:
        # Messages of the libraries may quote values.
        return Outcome(entry.index, None, f"damaged or cut short ({type(error).__name__})", is_bad=True)
    if noticed and options.leave_out_suspect:
        return Outcome(entry.index, None, f"left out on request: {'; '.join(noticed)}", warnings=noticed)
    file = out / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    _LOGGER.debug("file %d: written as %s", entry.index, place)
    return Outcome(entry.index, place, warnings=noticed)


def _check_written(report: Report) -> None:
    """Refuse a run that wrote nothing.

    Raises:
        StudyError: If a DICOM file was bad, or there was none.
        NotEligibleError: If all was left out by rule.
        IdentityLeftError: If the check stopped every image.
    """
    if report.written:
        return
    reasons = "; ".join(sorted({outcome.reason or "" for outcome in report.outcomes}))
    if any(outcome.is_our_fault for outcome in report.outcomes):
        raise IdentityLeftError(f"no file was written: {reasons}")
    is_dicom = any(not (outcome.reason or "").startswith("not DICOM") for outcome in report.outcomes)
    if any(outcome.is_bad for outcome in report.outcomes) or not is_dicom:
        raise StudyError(
            f"expected DICOM images, found none that can be de-identified: {reasons or 'no file at all'}"
        )
    raise NotEligibleError(f"no image to de-identify: {reasons}", code="no_image")
