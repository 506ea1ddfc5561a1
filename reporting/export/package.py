"""All that an export may need, gathered once: report, reading.json, label maps, the study it was made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imaging.types import Series, SourceKind, Spacing, Study
from reporting.export.classes import USUAL, Classes
from reporting.export.content import Outgoing
from runtime.errors import StudyError
from runtime.names import shown_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydicom import Dataset

    LabelArray = NDArray[np.uint8]


@dataclass(frozen=True)
class ExportedFile:
    """A file of an export.

    Attributes:
        name: Path below the export's folder, with ``/``; nothing a user typed, no identity.
        media_type: Media type.
        content: Bytes.
    """

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, eq=False)
class Source:
    """The study that a reading was made of.

    Attributes:
        path: Where it lies.
        study: As read again: the same key, the same series ids as in reading.json.
    """

    path: Path
    study: Study

    @cached_property
    def instances(self) -> dict[str, Dataset]:
        """Return SOP Instance UID -> instance, of all series that were read.

        Raises:
            StudyError: If the source is no DICOM.
        """
        from imaging.dicom.instances import read_instances

        self.require_dicom()
        return read_instances(self.path, {uid for item in self.study.series for uid in item.instance_uids})

    def series(self, series_id: str) -> Series:
        """Return a series by the id it has in reading.json."""
        return next(item for item in self.study.series if item.id == series_id)

    def slices(self, series_id: str) -> list[Dataset]:
        """Return the instance of each slice k of a series; a multi-frame instance stands for several."""
        return [self.instances[uid] for uid in self.series(series_id).instance_uids]

    def require_dicom(self) -> None:
        """Refuse what has no DICOM to refer to.

        Raises:
            StudyError: If the source is a picture or a NIfTI volume.
        """
        if self.study.source is not SourceKind.DICOM:
            raise StudyError(f"{shown_name(self.path.name)}: {no_dicom_words(self.study.source)}")


def no_dicom_words(found: SourceKind) -> str:
    """Return why what is no DICOM leaves no DICOM objects, and what can be exported instead."""
    return (
        "DICOM objects refer to the instances they were made of; expected a DICOM study, found "
        f"{found.value}. Export pdf, docx, csv, fhir or bids instead"
    )


@dataclass(frozen=True, eq=False)
class Package:
    """What is exported.

    Attributes:
        outgoing: The report as it stands.
        document: Content of reading.json, as decided by its readers where there were any.
        label_maps: Series id -> (I, J, K) uint8 label numbers on the grid of ``Series.volume`` (RAS+); only with a
            source.
        source: The study; None when it was not given.
        beside: Formats made in the same export (values of ``ExportFormat``): the structured report may lead to
            them.
        classes: SOP classes of the DICOM objects.
    """

    outgoing: Outgoing
    document: Mapping[str, Any]
    label_maps: Mapping[str, LabelArray]
    source: Source | None
    beside: frozenset[str] = frozenset()
    classes: Classes = USUAL

    @property
    def stem(self) -> str:
        """Return how names of files begin."""
        return self.outgoing.stem

    def require_source(self) -> Source:
        """Return the source.

        Raises:
            StudyError: If none was given.
        """
        if self.source is None:
            raise StudyError("this format refers to the images: name the study that was read (--source)")
        return self.source


def open_source(path: Path, document: Mapping[str, Any], study: int | str | None = None) -> Source:
    """Read the study of a reading again, and make sure that it is the same.

    Args:
        path: What ``read`` was given.
        document: Content of reading.json.
        study: Which study of several, by number or key, as for ``read``.

    Raises:
        StudyError: If it cannot be read, or is another study.
    """
    from imaging import load_study

    told = document["study"]
    found = load_study(path, protocol=told["protocol"], spacing=_given_spacing(told), study=study)
    if found.key != told["key"]:
        raise StudyError(
            f"{shown_name(path.name)}: expected the study that reading.json was made of ({told['key']}), "
            f"found another ({found.key})"
        )
    return Source(path, found)


def _given_spacing(told: Mapping[str, Any]) -> Spacing | None:
    """Return the spacing that ``read`` was given with a picture; other files tell their own."""
    if told["source"] != SourceKind.PICTURE.value:
        return None
    spacing = told["series"][0]["spacing_mm"]
    return None if spacing is None else Spacing(row_mm=spacing[1], col_mm=spacing[0])


def open_label_maps(folder: Path, document: Mapping[str, Any], source: Source) -> dict[str, LabelArray]:
    """Read the label maps beside reading.json onto the series they belong to.

    Args:
        folder: Folder of reading.json.
        document: Its content.
        source: The study.

    Raises:
        StudyError: If a label map is missing, damaged, or does not lie on its series.
    """
    files = {row["file"]: folder / Path(row["file"]).name for row in document["label_maps"]}
    return place_label_maps(files, document, source)


def place_label_maps(
    files: Mapping[str, Path], document: Mapping[str, Any], source: Source
) -> dict[str, LabelArray]:
    """Read label maps that are kept under other names onto the series they belong to.

    Args:
        files: Name in reading.json -> where the file lies.
        document: Content of reading.json.
        source: The study.

    Raises:
        StudyError: If a label map is missing, damaged, or does not lie on its series.
    """
    from imaging.label_file import read_label_file
    from imaging.label_grid import place_labels

    found = {}
    for row in document["label_maps"]:
        if not row["file"].endswith(".nii.gz"):
            continue  # a picture's label map is a picture
        if row["file"] not in files:
            raise StudyError(f"{row['file']}: expected the label map that reading.json names, found none")
        labels = read_label_file(files[row["file"]])
        placed = place_labels(labels.array.astype("uint8"), labels.affine, source.series(row["series"]))
        found[row["series"]] = placed.array
    return found


def load_package(reading: Path, source: Path | None = None, *, study: int | str | None = None) -> Package:
    """Gather the export of a stored reading: the machine's draft.

    Args:
        reading: Its reading.json, with the files of the reading beside it.
        source: The study it was made of; None where the formats need none.
        study: Which study of several in the source, by number or key.

    Raises:
        StudyError: If reading.json is damaged, or source and reading do not belong together.
    """
    from reporting.export.content import draft_of

    document = json.loads(reading.read_text(encoding="utf-8"))
    made_at = datetime.fromtimestamp(reading.stat().st_mtime, UTC)  # reading.json itself tells no moment
    overlay = reading.parent / "overlay.png"
    opened = None if source is None else open_source(source, document, study)
    return Package(
        outgoing=draft_of(document, made_at, overlay.read_bytes() if overlay.is_file() else None),
        document=document,
        label_maps={} if opened is None else open_label_maps(reading.parent, document, opened),
        source=opened,
    )
