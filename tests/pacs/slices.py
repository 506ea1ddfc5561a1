"""Small MR studies to send around: some 64 x 64 slices, with a name and a birth date that no log may show."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread

from imaging.dicom.write import SeriesHeader, StudyHeader, stable_uid, write_mr_series

NAME = "Geheim^Gisela"
PATIENT_ID = "PID-7734-SECRET"
BIRTH_DATE = "19411117"
ACCESSION = "ACC-7734-SECRET"
IDENTITY = ("Geheim", "Gisela", PATIENT_ID, BIRTH_DATE, ACCESSION)
"""Words of identity; a log or an error that holds one of them fails its test."""


@dataclass(frozen=True)
class SmallStudy:
    """A study in files.

    Attributes:
        study_instance_uid: Its UID.
        files: One a slice.
        folder: Where they lie.
    """

    study_instance_uid: str
    files: tuple[Path, ...]
    folder: Path

    @property
    def sop_instance_uids(self) -> set[str]:
        """Return the UIDs of the instances."""
        return {str(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in self.files}


def write_study(folder: Path, key: str, *, series: int = 2, slices: int = 3, date: str = "20260704") -> SmallStudy:
    """Write a study of lumbar T1 and T2 slices.

    Args:
        folder: Made when missing; each series has a folder in it.
        key: Text that all UIDs are made from: the same key gives the same study.
        series: Number of series.
        slices: Slices of each.
        date: Study date, ``YYYYMMDD``.
    """
    study = StudyHeader(
        key=key, patient_id=PATIENT_ID, sex="F", age_years=None, description="MR lumbar spine", body_part="LSPINE",
        date=date,
    )  # fmt: skip
    generator = np.random.default_rng(7)
    files: list[Path] = []
    for number in range(1, series + 1):
        header = SeriesHeader(
            number=number, description=f"T{2 - number % 2} tse sag", repetition_time_ms=600.0 * number,
            echo_time_ms=10.0, flip_angle_deg=90.0, echo_train_length=1, field_strength_t=1.5,
            slice_thickness_mm=4.0, slice_spacing_mm=4.4,
        )  # fmt: skip
        array = generator.integers(0, 1000, (64, 64, slices)).astype(np.float32)
        affine = np.array([[0, 0, 4.4, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]], dtype=float)
        files += write_mr_series(array, affine, study=study, series=header, folder=folder / str(number))
    for file in files:
        identify(file)
    return SmallStudy(str(stable_uid(key)), tuple(files), folder)


def identify(file: Path) -> None:
    """Write the name, birth date and accession number into a file."""
    dataset = dcmread(file)
    dataset.PatientName, dataset.PatientBirthDate = NAME, BIRTH_DATE
    dataset.AccessionNumber = ACCESSION
    dataset.save_as(file, enforce_file_format=True)
