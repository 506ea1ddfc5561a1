"""The instances of a study as they are, header and pixels: what exports refer to and take their patient from."""

import warnings
from collections.abc import Collection
from pathlib import Path

from pydicom import Dataset, dcmread

from imaging.dicom.members import open_members
from imaging.sniff import FileKind
from runtime.errors import StudyError
from runtime.names import shown_name


def read_instances(path: Path, wanted: Collection[str]) -> dict[str, Dataset]:
    """Read the instances that are named.

    Args:
        path: DICOM file, folder or zip, read before by ``load_study``.
        wanted: SOP Instance UIDs.

    Returns:
        SOP Instance UID -> instance. They hold the patient's identity: nothing of them goes to a log or a message.

    Raises:
        StudyError: If one of them is not there.
    """
    found: dict[str, Dataset] = {}
    with warnings.catch_warnings(), open_members(path) as members:
        warnings.simplefilter("ignore")
        for member in members:
            if member.kind is not FileKind.DICOM or member.is_directory:
                continue
            with member.open() as stream:
                dataset = dcmread(stream, force=True)
            uid = str(dataset.get("SOPInstanceUID", ""))
            if uid in wanted:
                found.setdefault(uid, dataset)
    missing = len(set(wanted) - set(found))
    if missing:
        raise StudyError(
            f"{shown_name(path.name)}: expected the {len(set(wanted))} instances that were read, "
            f"{missing} are missing"
        )
    return found
