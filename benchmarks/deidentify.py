"""What each library leaves of planted secrets: ``python -m benchmarks.deidentify``.

dicom-anonymizer and dicognito are compared when they are installed; neither is a dependency. The figures are in
docs/decisions/0004-deidentification.md.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial

import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from imaging.dicom.deidentify.clean import Cleaner
from imaging.dicom.deidentify.instances import cleaned_file
from imaging.dicom.deidentify.keys import Keys
from imaging.dicom.deidentify.profile import policy
from imaging.dicom.deidentify.types import Log
from tests.imaging.deidentify_cases import (
    BIRTH,
    CANARY,
    CANARY_UID,
    STUDY,
    every_tag,
    mr_image,
    planted,
    written,
)

_TEXTS = (
    "ImageComments", "PatientComments", "ProtocolName", "AdditionalPatientHistory",
    "PerformedProcedureStepDescription", "RequestedProcedureDescription", "DerivationDescription",
    "ContrastBolusAgent", "ReceiveCoilName", "SequenceName", "SoftwareVersions",
)  # fmt: skip
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_NO_TEXT = ("DA", "TM", "DT")


def main() -> None:
    """Print how many planted elements each tool leaves."""
    with pydicom.config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, clean in _tools():
            source = pydicom.dcmread(io.BytesIO(written(hospital_image(), preamble=b"CANARY".ljust(128))))
            before = len(left_in(source))
            print(f"{name}: image {len(left_in(clean(source)))} of {before}", end=", ", flush=True)
            results = [bool(left_in(_of_same_meta(clean, ds))) for ds in single_elements()]
            print(f"dictionary {sum(results)} of {len(results)}", flush=True)


def hospital_image() -> Dataset:
    """Return an MR image with secrets where hospitals have them: texts, private, nested, graphics, codes."""
    ds = mr_image()
    for keyword in _TEXTS:
        setattr(ds, keyword, CANARY)
    request, code, reference, nested, group = (Dataset() for _ in range(5))
    for keyword in ("RequestedProcedureID", "ScheduledProcedureStepDescription", "RequestedProcedureDescription"):
        setattr(request, keyword, CANARY)
    request.AccessionNumber = CANARY
    ds.RequestAttributesSequence = Sequence([request])
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = CANARY, "99C", CANARY
    ds.ProcedureCodeSequence = Sequence([code])
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = ds.SOPClassUID, f"{CANARY_UID}.1.1.2"
    ds.ReferencedImageSequence = Sequence([reference])
    nested.PatientName = nested.SeriesDescription = CANARY
    nested.AcquisitionDateTime = STUDY + "120000"
    group.PlanePositionSequence = Sequence([nested])
    ds.SharedFunctionalGroupsSequence = Sequence([group])
    ds.private_block(0x0029, "CANARY CSA", create=True).add_new(0x10, "LO", CANARY)
    ds.add_new(0x60000022, "LO", CANARY)
    ds.add_new(0x60004000, "LT", CANARY)
    ds.add_new(0x50000030, "SH", CANARY)
    return ds


def single_elements() -> Iterator[Dataset]:
    """Yield data sets with one planted element each, for every tag whose kind holds text, UIDs, items or bytes."""
    image = mr_image()
    for tag in every_tag():
        keyword, element = keyword_for_tag(tag), planted(tag)
        if (
            element is None
            or element.VR in _NO_TEXT
            or keyword in (*_NEEDED, *policy().bulk, "PixelDataProviderURL")
        ):
            continue
        ds = Dataset()
        for name in _NEEDED:
            setattr(ds, name, getattr(image, name))
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.add(element)
        yield ds


def left_in(ds: Dataset) -> list[str]:
    """Return the names of elements that still hold a secret or an original date."""
    return [name for part in (ds.file_meta, ds) for name in _left(part)]


def _left(ds: Dataset) -> Iterator[str]:
    for element in ds:
        if element.VR == "SQ":
            yield from (name for item in element.value for name in _left(item))
        elif element.keyword != "PixelData":
            value = element.value.decode("latin-1") if isinstance(element.value, bytes) else str(element.value)
            is_day = element.VR in ("DA", "DT") and (BIRTH in value or STUDY in value)
            if is_day or CANARY.lower() in value.lower() or CANARY_UID in value:
                yield element.keyword or str(element.tag)


def _of_same_meta(clean: Callable[[Dataset], Dataset], ds: Dataset) -> Dataset:
    """Return the data set cleaned, judged without what its file meta information says."""
    cleaned = clean(ds)
    cleaned.file_meta = FileMetaDataset()
    return cleaned


def _tools() -> Iterator[tuple[str, Callable[[Dataset], Dataset]]]:
    try:
        from dicomanonymizer.simpledicomanonymizer import anonymize_dataset, initialize_actions

        rules = partial(initialize_actions, "dicomfields_2026c")
        yield "dicom-anonymizer", lambda ds: anonymize_dataset(ds, base_rules_gen=rules) or ds
    except ImportError:
        print("dicom-anonymizer is not installed")
    try:
        from dicognito.anonymizer import Anonymizer

        tool = Anonymizer(seed="benchmark")
        yield "dicognito", lambda ds: tool.anonymize(ds) or ds
    except ImportError:
        print("dicognito is not installed")
    yield "ours", _ours


def _ours(ds: Dataset) -> Dataset:
    keys = Keys(b"0123456789abcdef")
    cleaner = Cleaner(keys, keys.subject("patient"), True, Log())
    if "Rows" not in ds:
        return cleaner.clean(ds)
    content, _ = cleaned_file(ds, cleaner, lambda _: ())
    return pydicom.dcmread(io.BytesIO(content))


if __name__ == "__main__":
    main()
