"""Files to a Study: pictures, NIfTI and DICOM; roles of series; geometry; the gate before reading; phantoms.

Verbs: ``load_study`` reads (``load_study_isolated``: in a process of its own), ``check_eligibility`` judges the
image content, ``write_label_map`` writes labels on the source's own grid, ``normalise_slice`` is the one intensity
scale that the networks see. The records are in ``imaging.types``. This room knows files and geometry, no disease.
pydicom is imported in ``imaging/dicom`` alone, and only once there is DICOM to read.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imaging.eligibility import check_eligibility
    from imaging.geometry import parse_spacing, read_spacing_csv
    from imaging.intensity import normalise_slice
    from imaging.isolate import load_study_isolated
    from imaging.label_map import write_label_map
    from imaging.load import load_study
    from imaging.unpack import unpack_zip

__all__ = [
    "check_eligibility",
    "load_study",
    "load_study_isolated",
    "normalise_slice",
    "parse_spacing",
    "read_spacing_csv",
    "unpack_zip",
    "write_label_map",
]

_HOMES = {
    "check_eligibility": "imaging.eligibility",
    "load_study": "imaging.load",
    "load_study_isolated": "imaging.isolate",
    "normalise_slice": "imaging.intensity",
    "parse_spacing": "imaging.geometry",
    "read_spacing_csv": "imaging.geometry",
    "unpack_zip": "imaging.unpack",
    "write_label_map": "imaging.label_map",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
