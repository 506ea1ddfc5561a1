"""De-identification by the Basic Application Level Confidentiality Profile of DICOM PS3.15 Annex E.

``deidentify_path`` writes cleaned copies of a study and a report of what was done. Nothing stays that no rule lets
through: ``profile`` holds the table and our policy, ``clean`` applies them, ``check`` searches the written bytes
again, ``burned_in`` warns of text in the pixels. The secret that makes new identifiers is never written.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imaging.dicom.deidentify.report import Report
    from imaging.dicom.deidentify.run import deidentify_path
    from imaging.dicom.deidentify.types import DeidentifyOptions, IdentityLeftError

__all__ = ["DeidentifyOptions", "IdentityLeftError", "Report", "deidentify_path"]

_HOMES = {
    "DeidentifyOptions": "imaging.dicom.deidentify.types",
    "IdentityLeftError": "imaging.dicom.deidentify.types",
    "Report": "imaging.dicom.deidentify.report",
    "deidentify_path": "imaging.dicom.deidentify.run",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
