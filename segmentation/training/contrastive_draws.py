"""Draws of a contrastive run: regions, the statements to hold against them, and their truth."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.folds import spider_folds
from runtime.settings import load_settings
from segmentation.clip.crops import cut_region
from segmentation.clip.statements import Statement, statements
from segmentation.training.contrastive_config import ContrastiveTraining
from segmentation.training.contrastive_phantoms import load_phantom_patients
from segmentation.training.contrastive_real import read_gradings, real_patients, real_regions
from segmentation.training.contrastive_regions import (
    PatientSlices,
    Region,
    phantom_regions,
    phantom_slices,
    truth_table,
)

_CACHE = Path("runs/cache")
_SCALES = (0.85, 1.2)  # of the pitch: regions found in use are not exact; own choice
_GAMMAS = (0.7, 1.4)  # of the grey values; own choice
_NOISE = 0.05  # largest noise, of a range of 2; own choice


@dataclass(frozen=True)
class RegionPool:
    """Patients, their regions, and the truth of every statement about each region.

    Attributes:
        name: ``phantom`` or ``real``.
        patients: Pictures to cut.
        regions: Places to cut.
        truth: (regions, statements) int8: 1 true, 0 false, -1 unknown.
    """

    name: str
    patients: list[PatientSlices]
    regions: list[Region]
    truth: NDArray[np.int8]

    @property
    def is_graded(self) -> NDArray[np.bool_]:
        """Return which regions have findings."""
        return np.array([bool(region.facts.grades) for region in self.regions])


@dataclass(frozen=True)
class RegionBatch:
    """What one step sees.

    Attributes:
        crops: (N, 3, S, S) float32.
        statements: (M,) numbers of the statements.
        truth: (N, M) int8.
    """

    crops: NDArray[np.float32]
    statements: NDArray[np.int64]
    truth: NDArray[np.int8]


def load_pools(training: ContrastiveTraining, fold: int | None) -> list[RegionPool]:
    """Return the pools of a run: phantoms, and real slices where the run asks for them."""
    pools = []
    if training.phantoms:
        pools.append(phantom_pool(training))
    if training.real_share:
        pools.append(real_pool(load_settings().data_dir, lambda patient: spider_folds()[patient] != fold))
    return pools


def real_pool(data_dir: Path, is_wanted: Callable[[int], bool]) -> RegionPool:
    """Return the regions of the wanted patients' real slices."""
    gradings = read_gradings(data_dir)
    patients: list[PatientSlices] = []
    regions: list[Region] = []
    for patient, slices, chain in real_patients(data_dir):
        if is_wanted(patient):
            grades = {level: gradings.get((patient, level), {}) for level in chain}
            regions += real_regions(len(patients), slices.aspect, chain, grades)
            patients.append(slices)
    return RegionPool("real", patients, regions, truth_table(regions, statements()))


def phantom_pool(training: ContrastiveTraining) -> RegionPool:
    """Return the regions of the run's phantoms."""
    patients = load_phantom_patients(training.phantoms, _CACHE)
    rng = np.random.default_rng((training.seed, 12))
    regions = [region for index, patient in enumerate(patients) for region in phantom_regions(index, patient, rng)]
    return RegionPool(
        "phantom", [phantom_slices(item) for item in patients], regions, truth_table(regions, statements())
    )


class Drawer:
    """Draws batches.

    Args:
        pools: Phantoms and real patients.
        training: Sizes and shares.
    """

    def __init__(self, pools: list[RegionPool], training: ContrastiveTraining) -> None:
        self.pools, self.training = pools, training
        self.said = statements()
        self.anchors = np.array(
            [n for n, item in enumerate(self.said) if item.kind in {"structure", "margin"}], dtype=np.int64
        )
        self.rivals = _rivals(self.said)
        self.kinds = {
            pool.name: (np.flatnonzero(pool.is_graded), np.flatnonzero(~pool.is_graded)) for pool in pools
        }

    def draw(self, rng: np.random.Generator) -> RegionBatch:
        """Draw one batch."""
        picked = [
            (pool, int(number)) for pool, count in self._shares() for number in self._regions(pool, count, rng)
        ]
        truths = np.stack([pool.truth[number] for pool, number in picked])
        crops = np.stack([cut(pool, pool.regions[number], rng) for pool, number in picked])
        chosen = self._statements(truths, rng)
        return RegionBatch(crops, chosen, truths[:, chosen])

    def two_wordings(self, number: int, rng: np.random.Generator) -> tuple[str, str]:
        """Return two different wordings of a statement."""
        first, second = rng.choice(len(self.said[number].wordings), 2, replace=False)
        return self.said[number].wordings[first], self.said[number].wordings[second]

    def _shares(self) -> list[tuple[RegionPool, int]]:
        if len(self.pools) == 1:
            return [(self.pools[0], self.training.regions)]
        real = round(self.training.real_share * self.training.regions)
        counts = {"real": real, "phantom": self.training.regions - real}
        return [(pool, counts[pool.name]) for pool in self.pools]

    def _regions(self, pool: RegionPool, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw regions, a set share of them with findings where the pool has both kinds."""
        graded, others = self.kinds[pool.name]
        share = self.training.graded_share if len(graded) and len(others) else float(len(graded) > 0)
        first = round(count * share)
        return np.concatenate([rng.choice(graded, first), rng.choice(others, count - first)]).astype(np.int64)

    def _statements(self, truths: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw statements: of each region a true one and a false rival of it, then prompts, then any.

        The first take at most three quarters of the places and the last at least a tenth.
        """
        wanted: list[int] = []
        for row in truths:
            true = np.flatnonzero(row == 1)
            if len(true):
                pick = int(rng.choice(true))
                rivals = self.rivals[pick][row[self.rivals[pick]] == 0]
                wanted += [pick, *([int(rng.choice(rivals))] if len(rivals) else [])]
        count = self.training.statements
        chosen: list[int] = []
        for source, limit in (
            (np.array(wanted, dtype=np.int64), count * 3 // 4),
            (self.anchors, count - count // 10),
            (np.arange(len(self.said)), count),
        ):
            chosen = list(dict.fromkeys([*chosen, *rng.permutation(source).tolist()]))[:limit]
        return np.array(chosen, dtype=np.int64)


def cut(pool: RegionPool, region: Region, rng: np.random.Generator) -> NDArray[np.float32]:
    """Cut a region with the place, size and grey values moved a little by chance, (3, S, S)."""
    patient = pool.patients[region.patient]
    image = patient.images[int(rng.integers(len(patient.images))), region.slice_index]
    move = rng.uniform(-1, 1, 2) * region.jitter * region.pitch_px
    centre = (region.centre[0] + float(move[0]), region.centre[1] + float(move[1]))
    crop = cut_region(image, centre, region.pitch_px * float(rng.uniform(*_SCALES)), aspect=patient.aspect)
    gamma = float(np.exp(rng.uniform(*np.log(_GAMMAS))))
    bent = np.clip((crop + 1) / 2, 0, None) ** gamma * 2 - 1
    noise = rng.normal(0, rng.uniform(0, _NOISE), crop.shape)
    result: NDArray[np.float32] = (bent + noise).astype(np.float32)
    return result


def _rivals(said: tuple[Statement, ...]) -> list[NDArray[np.int64]]:
    """Return for each statement those that could be mistaken for it.

    Of a finding: the same finding elsewhere and other grades of the same condition at the same place. Of a
    structure, a disc, a margin or a vertebra: the others of its kind.
    """
    kinds: dict[str, list[int]] = {}
    names: dict[tuple[str, str], list[int]] = {}
    places: dict[tuple[str, str | None, str | None], list[int]] = {}
    for number, item in enumerate(said):
        kinds.setdefault(item.kind, []).append(number)
        names.setdefault((item.kind, item.name), []).append(number)
        for condition in item.conditions:
            places.setdefault((condition, item.place, item.side), []).append(number)
    result = []
    for item in said:
        if item.kind == "finding":
            same = [n for condition in item.conditions for n in places[condition, item.place, item.side]]
            found = {*same, *names[item.kind, item.name]}
        else:
            found = set(kinds[item.kind])
        result.append(np.array(sorted(found), dtype=np.int64))
    return result
