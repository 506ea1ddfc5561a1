"""What lies in a folder of predictions or references: label maps, readings, tables; by case id."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import load_reading
from runtime.errors import StudyError

READING, REPORT, LABEL_MAP = "reading.json", "report.md", "label_map"
_LABEL_ENDINGS = (".nii.gz", ".nii", ".png")


def label_maps_of(folder: Path) -> dict[str, Path]:
    """Return case id -> label map: files of a folder by their stem, or ``<id>/label_map.*`` of folders in it.

    Raises:
        StudyError: If it is no folder, or an id has two files.
    """
    if not folder.is_dir():
        raise StudyError(f"{folder.name}: expected a folder of label maps, found none")
    found: dict[str, Path] = {}
    for entry in sorted(folder.iterdir()):
        file = next(
            (entry / f"{LABEL_MAP}{end}" for end in _LABEL_ENDINGS if (entry / f"{LABEL_MAP}{end}").is_file()),
            None,
        )
        if entry.is_dir():
            stem = entry.name
        else:
            file, stem = (entry, _stem(entry)) if entry.name.endswith(_LABEL_ENDINGS) else (None, "")
        if file is None:
            continue
        if stem in found:
            raise StudyError(
                f"{folder.name}: expected one label map of {stem!r}, found {found[stem].name} and {file.name}"
            )
        found[stem] = file
    return found


def readings_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return case id -> reading: one reading.json, a folder of ``*.json``, or of folders with a reading.json each.

    The id is the folder's name for a file called reading.json, else the file's stem.

    Raises:
        StudyError: If a file is no reading, or two have one id.
    """
    return {case: load_reading(file) for case, file in reading_files(path).items()}


def reading_files(path: Path) -> dict[str, Path]:
    """Return case id -> file of every reading at a path; empty when there is none.

    Raises:
        StudyError: If two files have one id.
    """
    if path.is_file():
        return {_reading_id(path): path}
    files = [*path.glob("*.json"), *path.glob(f"*/{READING}")]
    found: dict[str, Path] = {}
    for file in sorted(files):
        case = _reading_id(file)
        if case in found:
            raise StudyError(
                f"{path.name}: expected one reading of {case!r}, found {found[case].name} and {file.name}"
            )
        found[case] = file
    return found


def check_ids(predicted: Mapping[str, object], reference: Mapping[str, object], *, what: str) -> tuple[str, ...]:
    """Refuse predictions that lack a case of the reference; name cases that only the predictions have.

    Args:
        predicted: By case id.
        reference: By case id.
        what: The things that are matched, for messages, such as ``label maps``.

    Returns:
        A notice on cases without a reference, which are not scored; else nothing.

    Raises:
        StudyError: If a case of the reference has no prediction, or there is none at all.
    """
    if not reference:
        raise StudyError(f"references: expected {what}, found none")
    lost = sorted(reference.keys() - predicted.keys())
    if lost:
        raise StudyError(
            f"predictions: expected {what} for every id of the references; {len(lost)} of {len(reference)} "
            f"have none, the first is {lost[0]!r}"
        )
    extra = sorted(predicted.keys() - reference.keys())
    if not extra:
        return ()
    return (f"{what}: {len(extra)} predictions have no reference and are not scored, the first is {extra[0]!r}",)


def _reading_id(file: Path) -> str:
    return file.resolve().parent.name if file.name == READING else file.stem


def _stem(file: Path) -> str:
    return next(file.name[: -len(end)] for end in _LABEL_ENDINGS if file.name.endswith(end))
