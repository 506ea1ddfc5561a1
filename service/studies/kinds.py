"""Which uploads are taken: by the ending of the name and by the first bytes. What lies deeper is the reader's."""

from __future__ import annotations

import re

from imaging.sniff import HEAD_BYTES, FileKind, kind_of
from service.errors import UnsupportedError

HEAD = HEAD_BYTES
"""Bytes that ``check_head`` needs of a file that has as many."""

ACCEPTED = ("zip", "dcm", "nii", "nii.gz", "png", "jpg", "tif")
_SUFFIXES = {
    ".zip", ".dcm", ".dicom", ".ima", ".nii", ".nii.gz", ".png", ".jpg", ".jpeg", ".tif", ".tiff",
}  # fmt: skip
_BARE = {"", ".dcm", ".dicom", ".ima"}
_LAST_SUFFIX = re.compile(r"(\.nii\.gz|\.[A-Za-z][A-Za-z0-9]{0,9})$", re.IGNORECASE)
_KINDS = {
    FileKind.PNG, FileKind.JPEG, FileKind.TIFF, FileKind.NIFTI, FileKind.DICOM, FileKind.ZIP, FileKind.GZIP,
}  # fmt: skip
_WORDS = (
    "expected a zip of the study's DICOM files, a DICOM or NIfTI file (.dcm, .nii, .nii.gz), or a picture "
    "(.png, .jpg, .tif)"
)


def suffix_of(filename: str) -> str:
    """Return the ending of a client's file name; all else of it is forgotten, it may hold a name.

    Raises:
        UnsupportedError: If files of that ending are not read.
    """
    found = _LAST_SUFFIX.search(filename)
    suffix = "" if found is None else found.group(1).lower()
    if suffix not in _SUFFIXES | {""}:
        raise UnsupportedError(f"{_WORDS}; got a file ending in {suffix}")
    return suffix


def check_head(head: bytes, suffix: str) -> None:
    """Refuse a file by its first bytes.

    Args:
        head: The first ``HEAD`` bytes, or the whole of a smaller file.
        suffix: Ending of its name; a DICOM file may have none and no preamble either.

    Raises:
        UnsupportedError: If files of that kind are not read.
    """
    kind = kind_of(head)
    if kind in _KINDS or (kind is FileKind.UNKNOWN and suffix in _BARE):
        return
    raise UnsupportedError(f"{_WORDS}; found {kind.value}")
