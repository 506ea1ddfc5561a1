"""Regions of real slices: SPIDER's T2 middle slices with posterior disc points and one expert's gradings."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anatomy import DISC_LEVELS
from runtime.errors import StudyError
from segmentation.clip.statements import RegionFacts
from segmentation.training.contrastive_regions import PatientSlices, Region

Chain = dict[str, tuple[float, float]]
_DISC_FRONT, _CANAL_BACK = (
    0.45,
    0.2,
)  # pitches from the posterior margin to the middles of disc and canal; own choice
_PFIRRMANN = ("I", "II", "III", "IV", "V")
_COLUMNS = {
    "Spondylolisthesis": "spondylolisthesis",
    "Disc herniation": "disc_herniation",
    "Disc narrowing": "disc_narrowing",
    "Disc bulging": "disc_bulging",
    "UP endplate": "upper_endplate_change",
    "LOW endplate": "lower_endplate_change",
}


def real_patients(data_dir: Path) -> Iterator[tuple[int, PatientSlices, Chain]]:
    """Yield (patient, picture, disc level -> (x, y) in pixels) of every T2 middle slice with disc points.

    Raises:
        StudyError: If the SPIDER tables are not there.
    """
    spider = data_dir / "spider"
    if not (spider / "disc_points.csv").is_file():
        raise StudyError("disc_points.csv: expected SPIDER's tables in the data folder, found none")
    chains: dict[str, Chain] = defaultdict(dict)
    for row in _rows(spider / "disc_points.csv"):
        chains[row["file"]][row["level"]] = (float(row["relative_x"]), float(row["relative_y"]))
    for row in _rows(spider / "midsagittal.csv"):
        if row["sequence"] != "t2" or len(chains.get(row["file"], {})) < 2:
            continue
        image = np.asarray(Image.open(spider / "midsagittal" / row["file"]).convert("L"))
        rows, columns = image.shape
        points = {level: (x * columns - 0.5, y * rows - 0.5) for level, (x, y) in chains[row["file"]].items()}
        is_trusted = row["spacing_trusted"] == "yes"
        aspect = float(row["row_spacing_mm"]) / float(row["col_spacing_mm"]) if is_trusted else 1.0
        yield int(row["patient"]), PatientSlices(row["file"], image[None, None], aspect), points


def read_gradings(data_dir: Path) -> dict[tuple[int, str], dict[str, frozenset[str]]]:
    """Read gradings.csv: (patient, disc level) -> condition -> grade."""
    result: dict[tuple[int, str], dict[str, frozenset[str]]] = {}
    for row in _rows(data_dir / "spider" / "gradings.csv"):
        level = DISC_LEVELS[-int(row["IVD label"])]  # 1 is L5-S1, counting upward
        grades = {
            condition: frozenset({"present" if int(row[column]) else "absent"})
            for column, condition in _COLUMNS.items()
        }
        grades["disc_degeneration"] = frozenset({_PFIRRMANN[int(row["Pfirrman grade"]) - 1]})
        grades["modic"] = frozenset({str(int(row["Modic"]))})
        result[int(row["Patient"]), level] = grades
    return result


def real_regions(
    index: int, aspect: float, chain: Chain, grades: dict[str, dict[str, frozenset[str]]]
) -> Iterator[Region]:
    """Yield the regions of one slice: margin, disc and canal of each level, and the vertebrae between them.

    Args:
        index: Of the patient.
        aspect: Row spacing / column spacing.
        chain: Disc level -> posterior margin (x, y), image pixels; front is towards smaller x.
        grades: Disc level -> condition -> grade.
    """
    levels = [level for level in DISC_LEVELS if level in chain]
    places = np.array([(chain[level][0], chain[level][1] * aspect) for level in levels])
    ranks = [DISC_LEVELS.index(level) for level in levels]
    for number, level in enumerate(levels):
        down, pitch = _direction(places, ranks, number)
        front = np.array([-down[1], down[0]])
        at = _Place(index, pitch, aspect)
        held = grades.get(level, {})
        yield at.region(places[number], 0.04, RegionFacts(None, level, margin=True, grades=held))
        disc = RegionFacts(frozenset({"disc"}), level, grades=held)
        yield at.region(places[number] + _DISC_FRONT * pitch * front, 0.06, disc)
        canal = RegionFacts(frozenset({"spinal_canal"}))
        yield at.region(places[number] - _CANAL_BACK * pitch * front, 0.03, canal)
        if number + 1 < len(levels) and ranks[number + 1] == ranks[number] + 1:
            middle = (places[number] + places[number + 1]) / 2 + _DISC_FRONT * pitch * front
            name = level.split("-")[1]
            yield at.region(middle, 0.1, RegionFacts(frozenset({"vertebra"}), vertebra=name))


class _Place:
    """Turns places with square pixels into regions of the slice."""

    def __init__(self, patient: int, pitch: float, aspect: float) -> None:
        self.patient, self.pitch, self.aspect = patient, pitch, aspect

    def region(self, place: NDArray[np.float64], jitter: float, facts: RegionFacts) -> Region:
        centre = (float(place[0]), float(place[1]) / self.aspect)
        return Region(self.patient, 0, centre, self.pitch, jitter, facts)


def _direction(places: NDArray[np.float64], ranks: list[int], number: int) -> tuple[NDArray[np.float64], float]:
    """Return the unit vector down the chain at a level, and the pitch there."""
    first, last = max(number - 1, 0), min(number + 1, len(places) - 1)
    step = (places[last] - places[first]) / (ranks[last] - ranks[first])
    pitch = float(np.hypot(*step))
    return step / pitch, pitch


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
