"""Opens whatever the user gives: a picture, a NIfTI file, a DICOM file, a folder or a zip of DICOM files.

The content decides, not the name's ending.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from anatomy import load_protocol
from imaging import limits
from imaging.body_region import choose_protocol
from imaging.picture import read_picture
from imaging.roles import assign_roles
from imaging.sniff import PICTURES, FileKind, sniff
from imaging.types import Plane, Series, SourceKind, Spacing, Study
from imaging.words import plain_text
from runtime.errors import StudyError

_EXPECTED = "a PNG, JPEG or TIFF picture, a NIfTI volume, a DICOM file, or a folder or zip of DICOM files"


def load_study(path: Path, *, protocol: str = "auto", spacing: Spacing | None = None) -> Study:
    """Read a study.

    Args:
        path: Picture, NIfTI file, DICOM file, folder or zip.
        protocol: Protocol name, or ``auto``: lumbar unless header or file name say otherwise.
        spacing: Pixel spacing of a picture, in its upright orientation. A NIfTI or DICOM file tells its own, and a
            given one is then not used (a notice says so).

    Returns:
        The study with roles given; not yet judged by ``check_eligibility``.

    Raises:
        StudyError: If the input cannot be read.
        NotEligibleError: If it can be read and is no MR, or ``auto`` finds another part of the body.
        ConfigError: If there is no such protocol.
    """
    if protocol != "auto":
        load_protocol(protocol)
    if path.is_dir():
        return _load_dicom(path, protocol, spacing)
    if not path.is_file():
        raise StudyError(f"{path.name}: expected {_EXPECTED}, found no such file")
    limits.check_file_size(path.name, path.stat().st_size)
    with path.open("rb") as stream:
        kind = sniff(stream)
        if kind in PICTURES or kind is FileKind.NIFTI:
            return _load_single(stream, path.name, kind, protocol, spacing)
    if kind in (FileKind.DICOM, FileKind.ZIP):
        return _load_dicom(path, protocol, spacing)
    raise StudyError(f"{path.name}: expected {_EXPECTED}; found {kind.value}{_advice(kind)}")


def study_key(series: Sequence[Series]) -> str:
    """Return the study's own key: 16 hexadecimal digits of the SHA-256 of its pixels, never of an identity."""
    parts = sorted(_pixel_hash(item) for item in series)
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def _pixel_hash(series: Series) -> str:
    array = np.ascontiguousarray(series.volume.array)
    digest = hashlib.sha256(repr(array.shape).encode())
    digest.update(array.data)
    return digest.hexdigest()


def _load_single(stream: BinaryIO, name: str, kind: FileKind, asked: str, spacing: Spacing | None) -> Study:
    """Read a study of one series whose file has no header words."""
    chosen, region_notices = choose_protocol(asked, plain_text(name.split(".")[0]), is_file_name=True)
    protocol = load_protocol(chosen)
    if kind is FileKind.NIFTI:
        # nibabel pulls in pydicom; neither is loaded for a picture.
        from imaging.nifti import read_nifti

        candidate, source = read_nifti(stream, name), SourceKind.NIFTI
    else:
        plane = Plane(protocol.roles[0].plane)
        candidate, source = read_picture(stream, name, plane=plane, spacing=spacing), SourceKind.PICTURE
    series, role_notices = assign_roles((candidate,), protocol)
    notices = (*region_notices, *role_notices)
    study = Study(key=study_key(series), source=source, protocol=chosen, series=series, notices=notices)
    return study if source is SourceKind.PICTURE else _without_given_spacing(study, spacing)


def _load_dicom(path: Path, asked: str, spacing: Spacing | None) -> Study:
    # pydicom is loaded only when there is DICOM to read.
    from imaging.dicom import read_dicom

    content = read_dicom(path)
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
