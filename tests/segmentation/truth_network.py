"""A network that answers with a phantom's truth: its input pictures are the phantom's label maps."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anatomy import DISC_LEVELS, SIJ, disc_label
from imaging.phantom import Phantom
from imaging.types import Series, SourceKind, Spacing, Study, Volume
from segmentation.types import SliceMaps
from tests.built_phantoms import built_phantom

STRUCTURES = ("disc", "vertebra", "spinal_canal", "sacrum", "spinal_cord", "ilium", "joint_space")
LEVELS = (*DISC_LEVELS[-5:], *DISC_LEVELS[:6])
PROMPTS = (*STRUCTURES, *LEVELS)


def masks_of(labels: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
    """Structure -> mask of numbers of ``anatomy/codes.csv``; the canal holds the cord, as in training."""
    return {
        "disc": labels > 200,
        "vertebra": (labels >= 1) & (labels <= 24),
        "spinal_canal": np.isin(labels, (100, 101)),
        "sacrum": labels == 50,
        "spinal_cord": labels == 101,
        "ilium": np.isin(labels, (51, 52)),
        "joint_space": np.isin(labels, (53, 54)),
    }


class TruthNetwork:
    """Reads label numbers back from the pictures; token p is filled with p; level maps peak behind discs."""

    def __init__(self, *, checksum: str = "truth", structures: tuple[str, ...] = STRUCTURES) -> None:
        self.checksum, self.structures = checksum, structures
        self.slices_seen = 0
        self.had_neighbours: list[bool] = []

    def segment_slices(
        self,
        images: NDArray[np.float32],
        spacing: Spacing | None,
        neighbours: NDArray[np.float32] | None = None,
    ) -> SliceMaps:
        self.slices_seen += len(images)
        self.had_neighbours.append(neighbours is not None)
        labels = np.round(images).astype(np.uint8)
        masks = masks_of(labels)
        count, rows, columns = labels.shape
        names = (*self.structures, *LEVELS)
        tokens = np.broadcast_to(np.arange(len(names), dtype=np.float32)[None, :, None], (count, len(names), 6))
        return SliceMaps(
            structures=self.structures,
            probabilities=np.stack([masks[name] * np.float32(0.95) for name in self.structures], axis=1),
            level_names=LEVELS,
            level_maps=np.stack([self._level_maps(one) for one in labels]),
            level_stride=(rows / (rows // 4), columns / (columns // 4)),
            prompt_names=names,
            prompt_tokens=tokens.copy(),
        )

    def _level_maps(self, labels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(L, h, w) at stride 4: a bump at the disc's pixels farthest to the back (largest column)."""
        rows, columns = labels.shape
        maps = np.zeros((len(LEVELS), rows // 4, columns // 4), dtype=np.float32)
        y, x = np.mgrid[0 : rows // 4, 0 : columns // 4] * 4.0 + 1.5
        for index, level in enumerate(LEVELS):
            found = np.argwhere(labels == disc_label(level))
            if len(found) > 20:
                back = found[found[:, 1] >= found[:, 1].max() - 1].mean(axis=0)
                maps[index] = 0.9 * np.exp(-0.5 * np.hypot(x - back[1], y - back[0]) ** 2 / 36.0)
        return maps


def phantom_of(protocol: str) -> Phantom:
    """Return the patient for whom the least agreements of these tests were set."""
    return built_phantom(protocol, 3)


def truth_series(phantom: Phantom, roles: Iterable[str] | None = None) -> tuple[Series, ...]:
    """The series of a phantom, their pictures replaced by their label maps."""
    found = []
    for number, series in enumerate(phantom.series, start=1):
        if roles is None or series.role in roles:
            steps = np.linalg.norm(series.affine[:3, :3], axis=0)
            array = series.label_array.astype(np.float32)
            volume = Volume(
                array, Spacing(float(steps[1]), float(steps[0]), float(steps[2])), series.affine, array.shape
            )
            found.append(Series(f"S{number}", series.role, series.plane, series.sequence, volume))
    return tuple(found)


def truth_study(protocol: str, roles: Iterable[str] | None = None) -> Study:
    return Study("key", SourceKind.DICOM, protocol, truth_series(phantom_of(protocol), roles))


def with_series(study: Study, *series: Series) -> Study:
    return replace(study, series=series)


def agreement(found: NDArray[np.uint8], truth: NDArray[np.uint8], label: int) -> float:
    """Dice of one label; nan where neither has it."""
    a, b = found == label, truth == label
    total = int(a.sum() + b.sum())
    return float("nan") if total == 0 else 2.0 * int((a & b).sum()) / total


__all__ = ["SIJ", "TruthNetwork", "agreement", "phantom_of", "truth_series", "truth_study", "with_series"]
