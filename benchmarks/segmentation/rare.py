"""Rare structures apart: thin discs and narrowed canals, told from the experts' masks alone.

A mean over all discs hides the few that matter. So every disc of a middle slice gets a height index, and every
disc level a canal width; the lowest quarter over all 30 patients is called thin or narrowed, the rest is scored
beside it. The limits come from the reference masks of all patients, whatever fold is scored, so that figures of
different folds speak of the same discs.

Definitions (own choice, as masks have no levels):
  height index  mean height over length: area / length^2, length along the disc's long axis (2nd to 98th percentile
                of its pixels, stretched to the whole); discs under 15 mm are specks or cut off, and left out
  canal width   twice the largest distance from canal pixels of a row to the canal's edge (the diameter of the
                inscribed circle, which asks no direction), the smallest over the rows within 4 mm of the disc's
                posterior margin, less a pixel; levels at which the canal ends within 9 mm are left out
  zone          a thin disc is scored where it is the nearest disc and at most 5 mm away, a narrowed canal in the
                rows within 5 mm of the margin: what is predicted elsewhere is another disc's or level's business
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.segmentation.cases import SpacePatient, space_patients

RARE_SHARE = 0.25
_MIN_LENGTH_MM = 15.0
_ZONE_MM = 5.0
_BAND_MM = 4.0
_END_MM = 9.0
_AT_CANAL_MM = 8.0  # a disc further from the canal has no level there
_CANAL_SHARE = 0.9  # of the largest canal area: nearer the midline than MIDDLE_SHARE, as width falls beside it


@dataclass(frozen=True)
class Place:
    """A disc, or a canal at a disc, of one slice.

    Attributes:
        slice_index: N of the patient's slices.
        value: Height index, or canal width in mm.
        zone: (H, W), where it is scored.
    """

    slice_index: int
    value: float
    zone: NDArray[np.bool_]


@dataclass(frozen=True)
class Limits:
    """Up to these a disc is thin (height index) and a canal narrowed (mm)."""

    disc: float
    canal: float


def disc_places(case: SpacePatient) -> Iterator[Place]:
    """Yield the discs of the middle slices."""
    for index in case.middle():
        discs = ndimage.label(case.reference("disc")[index])[0]
        nearest, distance = _nearest(discs, case.spacing)
        for number in range(1, int(discs.max()) + 1):
            length, area = _length_and_area(discs == number, case.spacing)
            if length >= _MIN_LENGTH_MM:
                yield Place(int(index), area / length**2, (nearest == number) & (distance <= _ZONE_MM))


def canal_places(case: SpacePatient) -> Iterator[Place]:
    """Yield the canal at each disc of the slices near the midline."""
    for index in case.middle(_CANAL_SHARE):
        canal = case.reference("spinal_canal")[index]
        discs = ndimage.label(case.reference("disc")[index])[0]
        width = 2 * np.asarray(ndimage.distance_transform_edt(canal, sampling=case.spacing)).max(1)
        away = np.asarray(ndimage.distance_transform_edt(~canal, sampling=case.spacing))
        for number in range(1, int(discs.max()) + 1):
            row = _margin_row(discs == number, away, case.spacing)
            value = None if row is None else _narrowest(canal, width, row, case.spacing)
            if row is not None and value is not None:
                zone = np.zeros(canal.shape, dtype=bool)
                zone[_rows_near(row, _ZONE_MM, case.spacing, len(zone))] = True
                yield Place(int(index), value, zone)


def rare_limits(cases: Iterable[SpacePatient]) -> Limits:
    """Return the lowest quarter's limits over all patients."""
    discs: list[float] = []
    canals: list[float] = []
    for case in cases:
        discs += [place.value for place in disc_places(case)]
        canals += [place.value for place in canal_places(case)]
    return Limits(float(np.quantile(discs, RARE_SHARE)), float(np.quantile(canals, RARE_SHARE)))


def load_limits(data: Path, cache: Path = Path("runs/cache")) -> Limits:
    """Return the limits of the data folder, kept between runs until the table or the definitions change."""
    table = (data / "spider" / "space.csv").read_bytes()
    key = hashlib.sha256(table + Path(__file__).read_bytes()).hexdigest()[:12]
    file = cache / f"rare_limits_{key}.json"
    if file.is_file():
        return Limits(**json.loads(file.read_text(encoding="utf-8")))
    limits = rare_limits(space_patients(data))
    cache.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(limits)) + "\n", encoding="utf-8")
    return limits


def _length_and_area(mask: NDArray[np.bool_], spacing: tuple[float, float]) -> tuple[float, float]:
    """Return a disc's length along its long axis, mm, and its area, mm^2."""
    places = np.argwhere(mask) * np.array(spacing)
    if len(places) < 3:
        return 0.0, 0.0
    axis = np.linalg.svd(places - places.mean(0), full_matrices=False)[2][0]
    low, high = np.percentile(places @ axis, [2, 98])
    return float(high - low) / 0.96, len(places) * spacing[0] * spacing[1]


def _nearest(
    discs: NDArray[np.integer], spacing: tuple[float, float]
) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    """Return the number of the nearest disc of each pixel, and its distance in mm."""
    if not discs.any():
        return discs, np.full(discs.shape, np.inf)
    distance, (rows, columns) = ndimage.distance_transform_edt(discs == 0, sampling=spacing, return_indices=True)
    return discs[rows, columns], distance


def _margin_row(disc: NDArray[np.bool_], away: NDArray[np.float64], spacing: tuple[float, float]) -> int | None:
    """Return the row of a disc's posterior margin, nearest the canal; None when it has no level there."""
    places = np.argwhere(disc)
    distances = away[disc]
    if _length_and_area(disc, spacing)[0] < _MIN_LENGTH_MM or distances.min() > _AT_CANAL_MM:
        return None
    return round(float(places[distances <= distances.min() + spacing[0], 0].mean()))


def _narrowest(
    canal: NDArray[np.bool_], width: NDArray[np.float64], row: int, spacing: tuple[float, float]
) -> float | None:
    """Return the smallest canal width near a row, mm; None when the canal ends near it."""
    whole = _rows_near(row, _BAND_MM + _END_MM, spacing, len(canal))
    if not canal[whole].any(1).all():
        return None
    return float(width[_rows_near(row, _BAND_MM, spacing, len(canal))].min()) - float(np.mean(spacing))


def _rows_near(row: int, away_mm: float, spacing: tuple[float, float], rows: int) -> slice:
    reach = round(away_mm / spacing[0])
    return slice(max(0, row - reach), min(rows, row + reach + 1))
