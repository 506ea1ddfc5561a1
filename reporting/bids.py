"""A reading as a BIDS derivative: segmentations on the source's grid, findings as tables, report and reading.json.

Names follow the Brain Imaging Data Structure (derivatives, imaging data types); BIDS has no suffix for findings of
a report, so those tables and the report stand in ``.bidsignore``. The subject is the study key, a hash of pixels.
Source: BIDS specification 1.10.0, src/derivatives/imaging.md, src/schema/rules/files/deriv/imaging.yaml.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from anatomy.structures import label_codes
from grading.types import Grade
from imaging.types import Plane, Series, SourceKind
from imaging.types import Sequence as Weighting
from reporting.export.content import RESEARCH_USE
from reporting.export.package import ExportedFile, Package
from reporting.export.text import to_markdown
from reporting.slice_picture import structure_colours
from segmentation.types import Measurement

BIDS_VERSION = "1.10.0"
_ROOT = "bids"
_JSON, _TSV, _TEXT = "application/json", "text/tab-separated-values", "text/plain; charset=utf-8"
_MISSING = "n/a"
_IGNORED = "sub-*/*_findings.*\nsub-*/*_measurements.*\nsub-*/report\n"
"""No slash behind the folder: the official validator (3.0.2) does not take ``report/`` for the folder itself."""
_WEIGHTINGS = {Weighting.T1: "T1", Weighting.T2: "T2", Weighting.STIR: "STIR", Weighting.UNKNOWN: ""}


def bids_files(package: Package) -> tuple[ExportedFile, ...]:
    """Return the derivative; of a picture without label maps, which need a place in the world.

    Raises:
        StudyError: If no source was given: the segmentations lie on its grid.
    """
    package.require_source()
    subject = subject_of(package)
    return (
        *_dataset_files(package, subject),
        *(
            file
            for series, name in _series_names(package).items()
            for file in _series_files(package, series, name)
        ),
        *_table_files(package, subject, "findings", [_grade_row(package, item) for item in _grades(package)]),
        *_table_files(package, subject, "measurements", [_value_row(package, item) for item in _values(package)]),
        *_report_files(package, subject),
    )


def subject_of(package: Package) -> str:
    """Return the subject label: letters and digits of the study key."""
    return "".join(sign for sign in package.outgoing.study_key if sign.isalnum() and sign.isascii())


def _grades(package: Package) -> tuple[Grade, ...]:
    return package.outgoing.findings.grades


def _values(package: Package) -> tuple[Measurement, ...]:
    return package.outgoing.findings.measurements


def _dataset_files(package: Package, subject: str) -> tuple[ExportedFile, ...]:
    outgoing = package.outgoing
    standing = outgoing.standing if outgoing.mark is None else outgoing.mark
    readme = _words()["readme"].format(standing=standing, subject=subject, label_maps=_told_of_label_maps(package))
    description = {
        "Name": f"SpineScribe derivative of study {subject}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "SpineScribe",
                "Version": str(outgoing.provenance["spinescribe"]),
                "Description": f"Automatic reading of a spine MRI study. {RESEARCH_USE} Status: {standing}",
            }
        ],
    }
    return (
        _json_file("dataset_description.json", description),
        ExportedFile(f"{_ROOT}/README", _TEXT, readme.encode()),
        ExportedFile(f"{_ROOT}/.bidsignore", _TEXT, _IGNORED.encode()),
    )


def _told_of_label_maps(package: Package) -> str:
    is_picture = package.require_source().study.source is SourceKind.PICTURE
    words: str = _words()["label_maps"]["some" if package.label_maps else "picture" if is_picture else "none"]
    return words


def _series_names(package: Package) -> dict[str, str]:
    """Return series id -> file name without its ending; ``run`` tells alike series apart, in the study's order."""
    source, subject = package.require_source(), subject_of(package)
    kinds = {series.id: _acquisition(series) for series in source.study.series if series.id in package.label_maps}
    total, seen = Counter(kinds.values()), Counter[str]()
    names = {}
    for key, kind in kinds.items():
        seen[kind] += 1
        run = f"_run-{seen[kind]}" if total[kind] > 1 else ""
        names[key] = f"sub-{subject}/anat/sub-{subject}_acq-{kind}{run}_space-orig_desc-spinescribe_dseg"
    return names


def _acquisition(series: Series) -> str:
    """Return plane and weighting as one label of letters and digits, such as ``sagittalT2``."""
    plane = "oblique" if series.plane is Plane.UNKNOWN else series.plane.value
    return f"{plane}{_WEIGHTINGS[series.sequence]}"


def _series_files(package: Package, series_id: str, name: str) -> tuple[ExportedFile, ...]:
    from imaging.label_map import label_map_bytes

    series, labels = package.require_source().series(series_id), package.label_maps[series_id]
    sidecar = {
        "Description": "Vertebrae, discs and further structures by SpineScribe; see the table of labels",
        "SpatialReference": "orig",
        "Manual": False,
        "SpineScribeSeries": series_id,
        "SpineScribeRole": series.role,
        "SpineScribePlane": series.plane.value,
        "SpineScribeSequence": series.sequence.value,
        "SpineScribeReportStatus": package.outgoing.status.value,
        "SpineScribeWeights": dict(package.outgoing.provenance["models"]),
        "Notice": RESEARCH_USE,
    }
    codes, colours = label_codes(), structure_colours()
    rows = [
        {"index": label, "name": codes[label].name, "color": "#{:02x}{:02x}{:02x}".format(*colours[label])}
        for label in np.unique(labels).tolist()
        if label != 0
    ]
    return (
        ExportedFile(f"{_ROOT}/{name}.nii.gz", "application/gzip", label_map_bytes(labels, series)),
        _json_file(f"{name}.json", sidecar),
        _tsv_file(f"{name}.tsv", tuple(_words()["labels"]), rows),
    )


def _table_files(
    package: Package, subject: str, what: str, rows: Sequence[Mapping[str, Any]]
) -> tuple[ExportedFile, ...]:
    name = f"sub-{subject}/sub-{subject}_desc-spinescribe_{what}"
    columns: Mapping[str, str] = _words()[what]
    dictionary = {column: {"Description": text} for column, text in columns.items()}
    return (
        _tsv_file(f"{name}.tsv", tuple(columns), rows),
        _json_file(f"{name}.json", {"Notice": RESEARCH_USE, "Mark": package.outgoing.mark, **dictionary}),
    )


def _grade_row(package: Package, grade: Grade) -> dict[str, Any]:
    place = grade.evidence
    return {
        "finding_id": grade.id,
        "level": grade.level,
        "side": grade.side,
        "condition": grade.condition,
        "scale": grade.scale,
        "grade": grade.grade,
        "status": grade.status,
        "reason": grade.reason,
        "prediction_set": "|".join(grade.prediction_set),
        "probabilities": "|".join(f"{step}={share:.6f}" for step, share in grade.probabilities.items()),
        "measurements": "|".join(grade.measurement_ids),
        "series": None if place is None else place.series_id,
        "slice": None if place is None else place.slice_index,
        "box_px": None if place is None else ",".join(f"{edge:.3f}" for edge in place.box_px),
        "report_status": package.outgoing.status,
    }


def _value_row(package: Package, item: Measurement) -> dict[str, Any]:
    return {
        "measurement_id": item.id,
        "name": item.name,
        "level": item.level,
        "side": item.side,
        "value": item.value,
        "unit": item.unit,
        "method": item.method,
        "percentile": item.percentile,
        "reason": item.reason,
        "series": item.series_id,
        "slice": item.slice_index,
        "report_status": package.outgoing.status,
    }


def _report_files(package: Package, subject: str) -> tuple[ExportedFile, ...]:
    name = f"sub-{subject}/report/sub-{subject}"
    text = to_markdown(package.outgoing).encode()
    return (
        ExportedFile(f"{_ROOT}/{name}_report.md", "text/markdown; charset=utf-8", text),
        _json_file(f"{name}_reading.json", package.document),
    )


def _json_file(name: str, content: Mapping[str, Any]) -> ExportedFile:
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return ExportedFile(f"{_ROOT}/{name}", _JSON, text.encode())


def _tsv_file(name: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> ExportedFile:
    lines = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
    return ExportedFile(f"{_ROOT}/{name}", _TSV, "".join("\t".join(line) + "\n" for line in lines).encode())


def _cell(value: object) -> str:
    """Return a cell: missing and empty values as BIDS writes them, no tab or line break within."""
    text = "" if value is None else " ".join(str(value).split())
    return text or _MISSING


@cache
def _words() -> dict[str, Any]:
    file = Path(__file__).parent / "bids.yaml"
    words: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return words
