"""Opens whatever the user gives: a picture, a NIfTI file, a DICOM file, a folder or a zip of DICOM files.

The content decides, not the name's ending.
"""

import hashlib
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from anatomy import load_protocol
from imaging.body_region import choose_protocol
from imaging.limits import Limits, applied, check_file_size, current, exceeded
from imaging.picture import read_picture
from imaging.roles import assign_roles
from imaging.sniff import PICTURES, FileKind, sniff
from imaging.types import Plane, Series, SourceKind, Spacing, Study
from imaging.words import plain_text
from runtime.errors import StudyError
from runtime.names import shown_name

_EXPECTED = "a PNG, JPEG or TIFF picture, a NIfTI volume, a DICOM file, or a folder or zip of DICOM files"


def load_study(
    path: Path,
    *,
    protocol: str = "auto",
    spacing: Spacing | None = None,
    limits: Limits | None = None,
    study: int | str | None = None,
) -> Study:
    """Read a study in this process; ``load_study_isolated`` does so in one that cannot harm this one.

    Args:
        path: Picture, NIfTI file, DICOM file, folder or zip.
        protocol: Protocol name, or ``auto``: lumbar unless header or file name say otherwise.
        spacing: Pixel spacing of a picture, in its upright orientation. A NIfTI or DICOM file tells its own, and a
            given one is then not used (a notice says so).
        limits: How much it may take in; None keeps those that hold (``imaging.limits.applied``). Time and memory
            are held by ``load_study_isolated`` alone.
        study: Which study of several in a DICOM folder or zip: its number from 1, or its key, as the error that
            offers them lists them. Anything else holds one study, number 1.

    Returns:
        The study with roles given; not yet judged by ``check_eligibility``.

    Raises:
        StudyError: If the input cannot be read; a LimitError if it passes a limit.
        NotEligibleError: If it can be read and is no MR, or ``auto`` finds another part of the body.
        ConfigError: If there is no such protocol.
    """
    if protocol != "auto":
        load_protocol(protocol)
    name = shown_name(path.name)
    with applied(limits):
        try:
            return _load(path, name, protocol, spacing, study)
        except MemoryError as error:
            most = current().memory_bytes
            message = f"{name}: expected to be read within {most} bytes of memory, found that it takes more"
            raise exceeded("memory_bytes", message) from error
        except RecursionError as error:
            message = f"{name}: expected a few sequences within sequences, found more than can be followed"
            raise exceeded("sequence_depth", message) from error


def _load(path: Path, name: str, protocol: str, spacing: Spacing | None, asked: int | str | None) -> Study:
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError) as error:  # a name longer than any file's, or with a zero in it
        raise StudyError(f"{name}: expected {_EXPECTED}, found no such file") from error
    if is_folder:
        return _load_dicom(path, protocol, spacing, asked)
    if not is_file:
        raise StudyError(f"{name}: expected {_EXPECTED}, found {_special(path)}")
    try:
        check_file_size(name, path.stat().st_size)
        with path.open("rb") as stream:
            kind = sniff(stream)
            if kind in PICTURES or kind is FileKind.NIFTI:
                _check_only_study(name, asked)
                return _load_single(stream, name, kind, protocol, spacing)
    except OSError as error:
        raise StudyError(f"{name}: the file cannot be opened ({error.strerror})") from error
    if kind in (FileKind.DICOM, FileKind.ZIP):
        return _load_dicom(path, protocol, spacing, asked)
    raise StudyError(f"{name}: expected {_EXPECTED}; found {kind.value}{_advice(kind)}")


def _check_only_study(name: str, asked: int | str | None) -> None:
    if asked is not None and str(asked) != "1":
        raise StudyError(
            f"{name}: expected one of its studies, got {asked!r}; the file holds one", code="no_such_study"
        )


def _special(path: Path) -> str:
    """Return what stands at a path that is neither a file nor a folder."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return "no such file"
    if stat.S_ISLNK(mode):
        return "a link that leads nowhere"
    return "a pipe, socket or device"


def study_key(series: Sequence[Series]) -> str:
    """Return the study's own key: 16 hexadecimal digits of the SHA-256 of its pixels, never of an identity."""
    parts = sorted(_pixel_hash(item) for item in series)
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def _pixel_hash(series: Series) -> str:
    digest = hashlib.sha256(repr(series.volume.shape).encode())
    for k in range(series.volume.shape[2]):
        digest.update(np.ascontiguousarray(series.volume.slice_image(k)).data)
    return digest.hexdigest()


def _load_single(stream: BinaryIO, name: str, kind: FileKind, asked: str, spacing: Spacing | None) -> Study:
    """Read a study of one series whose file has no header words; its content tells what the name does not."""
    from imaging.content import decide_by_content, open_classifier

    words = plain_text(name.split(".")[0])
    chosen, region_notices = choose_protocol(asked, words, is_file_name=True)
    protocol = load_protocol(chosen)
    if kind is FileKind.NIFTI:
        # nibabel pulls in pydicom; neither is loaded for a picture.
        from imaging.nifti import read_nifti

        candidate, source = read_nifti(stream, name), SourceKind.NIFTI
    else:
        plane = Plane(protocol.roles[0].plane)
        candidate, source = read_picture(stream, name, plane=plane, spacing=spacing), SourceKind.PICTURE
    candidate, content_notices = decide_by_content(
        candidate,
        open_classifier(),
        protocol=chosen,
        words=words,
        is_plane_told=source is SourceKind.NIFTI,
    )
    series, role_notices = assign_roles((candidate,), protocol)
    notices = (*region_notices, *content_notices, *role_notices)
    study = Study(key=study_key(series), source=source, protocol=chosen, series=series, notices=notices)
    return study if source is SourceKind.PICTURE else _without_given_spacing(study, spacing)


def _load_dicom(path: Path, asked: str, spacing: Spacing | None, asked_study: int | str | None) -> Study:
    # pydicom is loaded only when there is DICOM to read.
    from imaging.dicom import read_dicom

    content = read_dicom(path, study=asked_study)
    name, region_notices = choose_protocol(asked, content.words)
    series, role_notices = assign_roles(content.candidates, load_protocol(name))
    study = Study(
        key=study_key(series),
        source=SourceKind.DICOM,
        protocol=name,
        series=series,
        sex=content.sex,
        age_years=content.age_years,
        notices=(*content.notices, *region_notices, *role_notices),
    )
    return _without_given_spacing(study, spacing)


def _without_given_spacing(study: Study, spacing: Spacing | None) -> Study:
    if spacing is None:
        return study
    notice = "The given pixel spacing was not used: the file tells its own."
    return replace(study, notices=(*study.notices, notice))


def _advice(kind: FileKind) -> str:
    if kind is FileKind.NIFTI_PAIR:
        return "; save it as one .nii or .nii.gz file"
    if kind in (FileKind.GIF, FileKind.BMP, FileKind.WEBP):
        return "; save the slice as PNG"
    if kind in (FileKind.META_IMAGE, FileKind.NRRD):
        return "; convert it to NIfTI"
    return ""
