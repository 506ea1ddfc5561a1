"""The DICOM border of imaging: reading MR series and writing them. LPS lives here only; RAS+ leaves.

Identity is never taken out: names and birth dates are not kept, patient numbers only compared with one another.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imaging.dicom.read import DicomContent, read_dicom

__all__ = ["DicomContent", "read_dicom"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("imaging.dicom.read"), name)
