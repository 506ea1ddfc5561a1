"""Files on their way to a node: what they are, and how they are put into presentation contexts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import UID

from imaging.dicom.values import BROKEN
from service.pacs.contexts import LIMIT, PLAIN
from service.pacs.outcome import Outcome

BROKEN_WORDS = "the DICOM file is broken"


class BrokenFileError(Exception):
    """A DICOM file that cannot be read whole; its words may quote it and are not told."""


@dataclass(frozen=True)
class Item:
    """A file that can be sent.

    Attributes:
        file: The file.
        sop_class_uid: Kind of object.
        transfer_syntax_uid: How it is encoded.
    """

    file: Path
    sop_class_uid: UID
    transfer_syntax_uid: UID


def examine(file: Path) -> Item | Outcome:
    """Return what a file is, or why it cannot be sent."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings quote what stands in the file
            header = dcmread(file, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
            kind, syntax = header.get("SOPClassUID"), header.file_meta.get("TransferSyntaxUID")
    except OSError as error:
        return Outcome(file, False, f"the file cannot be read ({error.strerror or type(error).__name__})")
    except BROKEN:
        return Outcome(file, False, "no DICOM file")
    if not (kind and syntax and header.get("SOPInstanceUID")):
        return Outcome(file, False, "the DICOM file lacks its SOP class, SOP instance or transfer syntax UID")
    return Item(file, UID(kind), UID(syntax))


def batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Split what is to be sent so that the kinds of each part fit into one association."""
    batch: list[Item] = []
    used: set[tuple[UID, UID | None]] = set()
    for item in items:
        wanted = used | {(item.sop_class_uid, None)}
        if item.transfer_syntax_uid not in PLAIN:
            wanted.add((item.sop_class_uid, item.transfer_syntax_uid))
        if len(wanted) > LIMIT:
            yield batch
            batch, wanted = [], wanted - used
        batch.append(item)
        used = wanted
    if batch:
        yield batch


def load(item: Item) -> Dataset:
    """Return the whole data set.

    Raises:
        OSError: If it cannot be read.
        BrokenFileError: If it is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(item.file)
    except OSError:
        raise
    except BROKEN as error:
        raise BrokenFileError from error


def decompressed(dataset: Dataset) -> Dataset:
    """Return the data set uncompressed, with its own UIDs.

    Raises:
        ValueError: If it cannot be.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.decompress(generate_instance_uid=False)
    except Exception as error:  # decoders raise what they like
        raise ValueError(f"cannot be decompressed ({type(error).__name__})") from None
    return dataset
