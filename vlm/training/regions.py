"""Region embeddings of SPIDER's middle slices, cached once for the adapter stage.

They are made the way the service makes them: the picture is read, the shipped segmentation model names the levels
and its attended tokens are kept. The cache records the checksum of the segmentation weights, because a projector
understands the embeddings of that model only.
"""

import csv
import json
import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anatomy import Protocol
from runtime.errors import ConfigError, SpineScribeError, StudyError

_logger = logging.getLogger(__name__)
EXPECTED_KINDS = 4


@dataclass(frozen=True)
class RegionCache:
    """Region embeddings of many patients.

    Attributes:
        embeddings: Patient -> level -> one (T, D) float32 array per series that shows the level.
        segmentation_checksum: Weights that made them.
    """

    embeddings: dict[int, dict[str, tuple[NDArray[np.float32], ...]]]
    segmentation_checksum: str

    def of(self, patient: int, level: str) -> tuple[NDArray[np.float32], ...]:
        """Return the embeddings of a level; empty when the model did not find it."""
        return self.embeddings.get(patient, {}).get(level, ())

    def statistics(self, patients: list[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the (T, D) mean and standard deviation over some patients.

        Raises:
            ConfigError: If none of the patients has an embedding.
        """
        arrays = [
            item for patient in patients for level in self.embeddings.get(patient, {}).values() for item in level
        ]
        if not arrays:
            raise ConfigError("region cache: none of the training patients has an embedding; cache them anew")
        stacked = np.stack(arrays)
        return stacked.mean(axis=0), stacked.std(axis=0)


def cache_regions(
    data_dir: Path,
    protocol: Protocol,
    file: Path,
    *,
    weights_root: Path | None = None,
    name: str = "segmentation",
    patients: Collection[int] | None = None,
) -> RegionCache:
    """Run the segmentation model over the T1 and T2 middle slices and keep the region embeddings.

    Args:
        data_dir: Folder of real data.
        protocol: Levels that are named.
        file: ``.npz`` to write.
        weights_root: Folder of the segmentation weights; None takes the shipped ones.
        name: Model folder in it.
        patients: Only theirs; None takes all.

    Raises:
        StudyError: If the pictures are missing.
    """
    from imaging import load_study
    from segmentation import Segmenter

    segmenter = Segmenter.load(weights_root=weights_root, name=name)
    rows: list[tuple[int, str, NDArray[np.float32]]] = []
    refused = 0
    for patient, picture in middle_slices(data_dir):
        if patients is not None and patient not in patients:
            continue
        try:
            segmented = segmenter.segment_study(load_study(picture, protocol=protocol.name), protocol)
        except SpineScribeError as error:
            refused += 1
            _logger.info("%s left out: %s", picture.name, error)
            continue
        rows += [(patient, region.level, region.embedding) for region in segmented.regions]
    _logger.info("%d regions cached, %d pictures refused", len(rows), refused)
    if not rows:
        raise StudyError(f"region cache: none of the pictures under {data_dir} could be segmented")
    _write(file, rows, segmenter.checksum)
    return load_region_cache(file)


def load_region_cache(file: Path) -> RegionCache:
    """Read what ``cache_regions`` wrote.

    Raises:
        ConfigError: If the file is missing.
    """
    if not file.is_file():
        raise ConfigError(f"region cache: expected {file}, found nothing; `adapt` makes it when it is absent")
    with np.load(file) as table:
        levels = [str(level) for level in table["level"]]
        patients = [int(patient) for patient in table["patient"]]
        embeddings = table["embedding"].astype(np.float32)
        about = json.loads(str(table["about"]))
    grouped: dict[int, dict[str, list[NDArray[np.float32]]]] = {}
    for patient, level, embedding in zip(patients, levels, embeddings, strict=True):
        grouped.setdefault(patient, {}).setdefault(level, []).append(embedding)
    return RegionCache(
        {patient: {name: tuple(items) for name, items in rows.items()} for patient, rows in grouped.items()},
        segmentation_checksum=about["segmentation_checksum"],
    )


def middle_slices(data_dir: Path) -> list[tuple[int, Path]]:
    """Return (patient, picture) of every T1 and T2 middle slice.

    Raises:
        StudyError: If the table of slices is missing.
    """
    table = data_dir / "spider" / "midsagittal.csv"
    if not table.is_file():
        raise StudyError(
            f"middle slices: expected {table.name} under {data_dir} (SPINESCRIBE_DATA), found nothing"
        )
    with table.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["sequence"] in ("t1", "t2")]
    return [(int(row["patient"]), table.parent / "midsagittal" / row["file"]) for row in rows]


def _write(file: Path, rows: list[tuple[int, str, NDArray[np.float32]]], checksum: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        file,
        patient=np.array([row[0] for row in rows]),
        level=np.array([row[1] for row in rows]),
        embedding=np.stack([row[2] for row in rows]).astype(np.float16),
        about=np.array(json.dumps({"segmentation_checksum": checksum})),
    )
