"""Write a phantom to disk: a DICOM study, its zip, label maps, truth and reference report."""

import json
import zipfile
from pathlib import Path

import nibabel as nib

from imaging.dicom.write import SeriesHeader, StudyHeader, write_mr_series
from imaging.phantom.report import reference_report
from imaging.phantom.types import Phantom, PhantomSeries

_BODY_PART = {"lumbar": "LSPINE", "cervical": "CSPINE", "sacroiliac": "PELVIS"}  # PS3.16 annex L
_REGION = {"lumbar": "lumbar spine", "cervical": "cervical spine", "sacroiliac": "sacroiliac joints"}
_DATE = "20260101"  # made up, as the patient is
_ZIP_DATE = (2026, 1, 1, 12, 0, 0)


def write_phantom_study(phantom: Phantom, folder: Path) -> None:
    """Write everything about a phantom into a folder, which is made when missing.

    Writes ``dicom/<role>/IM0001.dcm`` and so on, ``study.zip`` of the same files, ``label_maps/<role>.nii.gz`` on
    each series' grid, ``truth.json`` and ``reference_report.md``. The same phantom writes the same bytes in the
    DICOM files, the zip and the texts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    study = StudyHeader(
        key=f"{phantom.version}/{phantom.protocol}/{phantom.seed}",
        patient_id=f"PHANTOM-{phantom.seed}",
        sex=phantom.sex,
        age_years=phantom.age_years,
        description=f"MRI {_REGION[phantom.protocol]} (phantom)",
        body_part=_BODY_PART[phantom.protocol],
        date=_DATE,
    )
    files: list[Path] = []
    for series in phantom.series:
        target = folder / "dicom" / series.role
        files += write_mr_series(
            series.array, series.affine, study=study, series=_series_header(series), folder=target
        )
        _write_labels(series, folder / "label_maps")
    _write_zip(files, folder)
    (folder / "truth.json").write_text(json.dumps(phantom.truth(), indent=1) + "\n", encoding="utf-8")
    (folder / "reference_report.md").write_text(reference_report(phantom), encoding="utf-8")


def _series_header(series: PhantomSeries) -> SeriesHeader:
    header = series.header
    return SeriesHeader(
        number=int(header["series_number"]),
        description=str(header["series_description"]),
        repetition_time_ms=float(header["repetition_time_ms"]),
        echo_time_ms=float(header["echo_time_ms"]),
        flip_angle_deg=float(header["flip_angle_deg"]),
        echo_train_length=int(header["echo_train_length"]),
        field_strength_t=float(header["field_strength_t"]),
        slice_thickness_mm=float(header["slice_thickness_mm"]),
        slice_spacing_mm=float(header["slice_spacing_mm"]),
        inversion_time_ms=float(header["inversion_time_ms"]),
        pixel_bandwidth_hz=float(header["pixel_bandwidth_hz"]),
        phase_axis=str(header["phase_axis"]),
        phase_share=float(header["phase_share"]),
    )


def _write_labels(series: PhantomSeries, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    image = nib.nifti1.Nifti1Image(series.label_array, series.affine)  # type: ignore[no-untyped-call]
    nib.save(image, folder / f"{series.role}.nii.gz")


def _write_zip(files: list[Path], folder: Path) -> None:
    with zipfile.ZipFile(folder / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), date_time=_ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes(), compresslevel=1)
