"""What an import made of a label file: ``labels.json``, and the labels in our numbers on the file's grid."""

import json
from pathlib import Path
from typing import Any

from anatomy.structures import label_codes
from imaging.label_file import LabelVolume
from imaging.label_import import ImportedLabels, Outcome
from imaging.label_map import write_label_grid

SCHEMA = "spinescribe.labels/1"
TABLE_FILE = "labels.json"


def label_table(imported: ImportedLabels, volume: LabelVolume) -> dict[str, Any]:
    """Return the content of ``labels.json``: convention, grid, and one row for every number of the file."""
    convention = imported.convention
    rows = [row.to_dict() for row in imported.rows]
    return {
        "schema": SCHEMA,
        "convention": {
            "name": convention.name,
            "title": convention.title,
            "version": convention.version,
            "sources": list(convention.sources),
        },
        "file": {
            "sha256": volume.sha256,
            "shape": list(volume.array.shape),
            "affine_ras_mm": [[float(value) for value in row] for row in volume.affine],
        },
        "labels": rows,
        "counts": {outcome.value: sum(row.outcome is outcome for row in imported.rows) for outcome in Outcome},
        "points": [
            {"our_label": label, "our_name": label_codes()[label].name, "point_ras_mm": list(point)}
            for label, point in sorted(imported.points_ras.items())
        ],
        "notices": list(imported.notices()),
    }


def write_label_table(imported: ImportedLabels, volume: LabelVolume, folder: Path) -> Path:
    """Write ``labels.json`` into a folder that exists."""
    path = folder / TABLE_FILE
    text = json.dumps(label_table(imported, volume), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def write_imported(imported: ImportedLabels, volume: LabelVolume, folder: Path) -> tuple[Path, ...]:
    """Write ``labels.json`` and, where anything is outlined, ``label_map.nii.gz`` on the file's own grid."""
    table = write_label_table(imported, volume, folder)
    if not imported.array.any():
        return (table,)
    return table, write_label_grid(imported.array, imported.affine, folder)
