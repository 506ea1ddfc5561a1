"""Studies of the RSNA 2024 challenge's folder (``grading.training.rsna``) as training cases.

The readers marked each level's canal on the sagittal T2; those points lay the frames. They stand in the canal, not
at the posterior disc margin, and are moved forward for that. Windows are cut in the frames, as in use; the marks
of foramina and recesses are not needed. A study is numbered by its id, which also decides its fold.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anatomy import SCALES, Condition
from grading.config import GraderConfig
from grading.heads import label_columns
from grading.training.cases import Case
from grading.training.cutting import CaseSeries, case_slices, case_windows
from grading.training.rsna import RsnaStudy, read_rsna
from grading.views import SIDES, level_frames
from imaging import load_study
from imaging.geometry import source_affine
from imaging.types import Plane, Series
from runtime.errors import ConfigError, StudyError

logger = logging.getLogger(__name__)

_SCALE = "rsna"
_FORWARD = 0.2  # ours, pitches: from the middle of the canal (about 16 mm deep) to the posterior disc margin
_PLANES = {
    "sagittal_t1": (Plane.SAGITTAL, "t1"),
    "sagittal_t2": (Plane.SAGITTAL, "t2"),
    "axial_t2": (Plane.AXIAL, "t2"),
}


def rsna_cases(folder: Path, config: GraderConfig) -> tuple[Case, ...]:
    """Return the cases of a challenge folder.

    A study without two marked canals, or with an unreadable series, is left out and said so.

    Raises:
        ConfigError: If the tables are not those of the challenge, or no study can be used.
    """
    cases = []
    studies = read_rsna(folder)
    for study in studies:
        try:
            case = _case(study, config)
        except StudyError as error:
            logger.warning("RSNA study left out: %s", error)
            continue
        if case is None:
            logger.warning("RSNA study left out: fewer than two levels have a marked canal")
        else:
            cases.append(case)
    if not cases:
        raise ConfigError(f"{folder}: expected studies that can be trained on, found none of {len(studies)}")
    return tuple(cases)


def _case(study: RsnaStudy, config: GraderConfig) -> Case | None:
    points = dict(_canal_points(study, config))
    frames = {name: frame.moved(front=_FORWARD) for name, frame in level_frames(points).items()}
    if not frames:
        return None
    series = list(_series(study))
    return Case(
        patient=int(study.study),
        slices=tuple(case_slices(series, frames, config, f"study {study.study}")),
        labels=rsna_labels(study, config),
        windows={view.name: case_windows(series, frames, view, config) for view in config.views},
    )


def rsna_labels(study: RsnaStudy, config: GraderConfig) -> NDArray[np.int64]:
    """Return the steps (L, columns) of a study's grid, -1 elsewhere."""
    columns, levels = label_columns(config.heads), config.network.levels
    labels = np.full((len(levels), sum(map(len, columns.values()))), -1, dtype=np.int64)
    heads = {head.condition: head for head in config.heads if head.scale == _SCALE}
    for (condition, side, level), grade in study.grades.items():
        if condition in heads and level in levels:
            number = 0 if side is None else SIDES.index(side)
            column = columns[heads[condition].key][number]
            labels[levels.index(level), column] = SCALES[_SCALE].grades.index(grade)
    return labels


def _canal_points(study: RsnaStudy, config: GraderConfig) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Yield level and place (RAS+ mm) of each marked canal."""
    for (condition, _, level), point in study.points.items():
        if condition is Condition.SPINAL_CANAL_STENOSIS and level in config.network.levels:
            (slice_,) = load_study(study.file_of(point), protocol="lumbar").series
            affine = source_affine(slice_.volume)
            if affine is None:
                raise StudyError(f"study {study.study}: expected DICOM files with a position, found none")
            x, y, z = (affine @ np.array([point.x, point.y, 0.0, 1.0]))[:3]
            yield level, (float(x), float(y), float(z))


def _series(study: RsnaStudy) -> Iterator[CaseSeries]:
    """Yield the series that have a position, as the challenge describes them."""
    for name, role in study.series.items():
        for series in load_study(study.folder / name, protocol="lumbar").series:
            found = _case_series(series, role)
            if found is not None:
                yield found


def _case_series(series: Series, role: str) -> CaseSeries | None:
    plane, sequence = _PLANES[role]
    if series.volume.affine is None or series.plane is not plane:
        return None
    return CaseSeries(plane, sequence, series.volume.array, series.volume.affine)
