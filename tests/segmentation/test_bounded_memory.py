"""However long a series is, the network's maps are held for a few slices only."""

import gc
import weakref

import numpy as np
from numpy.typing import NDArray

from anatomy import load_protocol
from imaging.types import Plane, Sequence, Series, Spacing, Volume
from segmentation.classes import kinds_of
from segmentation.joints import outline_pelvis
from segmentation.scan import BATCH, BATCH_PIXELS, MAX_SLICES, all_slices, look_through, scan_series
from segmentation.types import SliceMaps
from tests.segmentation.truth_network import LEVELS, STRUCTURES


class CountingNetwork:
    """Answers with a pelvis on every slice and counts the slices whose maps are alive."""

    checksum = "counting"

    def __init__(self) -> None:
        self.alive: list[tuple[weakref.ref[NDArray[np.float32]], int]] = []
        self.most, self.seen, self.largest = 0, 0, 0

    def segment_slices(
        self,
        images: NDArray[np.float32],
        spacing: Spacing | None,
        neighbours: NDArray[np.float32] | None = None,
    ) -> SliceMaps:
        count, rows, columns = images.shape
        assert neighbours is not None
        assert neighbours.shape == (count, 2, rows, columns)
        maps = np.zeros((count, len(STRUCTURES), rows, columns), dtype=np.float32)
        maps[:, STRUCTURES.index("sacrum"), :, columns // 3 : 2 * columns // 3] = 0.9
        maps[:, STRUCTURES.index("ilium"), :, : columns // 4] = 0.9
        maps[:, STRUCTURES.index("ilium"), :, 3 * columns // 4 :] = 0.9
        maps[:, STRUCTURES.index("joint_space"), :, columns // 4 : columns // 3] = 0.8
        maps[:, STRUCTURES.index("joint_space"), :, 2 * columns // 3 : 3 * columns // 4] = 0.8
        self.alive.append((weakref.ref(maps), count))
        self.seen, self.largest = self.seen + count, max(self.largest, count)
        gc.collect()
        self.most = max(self.most, sum(size for item, size in self.alive if item() is not None))
        names = (*STRUCTURES, *LEVELS)
        return SliceMaps(
            structures=STRUCTURES,
            probabilities=maps,
            level_names=LEVELS,
            level_maps=np.zeros((count, len(LEVELS), 2, 2), dtype=np.float32),
            level_stride=(4.0, 4.0),
            prompt_names=names,
            prompt_tokens=np.zeros((count, len(names), 4), dtype=np.float32),
        )


def series_of(slices: int, side: int = 48, plane: Plane = Plane.CORONAL) -> Series:
    array = np.zeros((side, side, slices), dtype=np.float32)
    affine = np.array([[-4.0, 0, 0, 96.0], [0, 0, 1.0, 0], [0, -4.0, 0, 0], [0, 0, 0, 1.0]])
    return Series("S1", None, plane, Sequence.STIR, Volume(array, Spacing(4.0, 4.0, 1.0), affine, array.shape))


def test_a_series_of_500_slices_is_read_in_part_with_at_most_two_batches_in_memory() -> None:
    network, series = CountingNetwork(), series_of(500)
    scan = scan_series(network, series, all_slices(series))
    assert network.seen == len(scan.slices) <= MAX_SLICES
    assert network.largest == BATCH
    assert network.most <= 2 * BATCH + 1  # one in work, one just made, and the best slice so far


def test_a_pelvis_of_500_slices_keeps_labels_but_no_maps() -> None:
    network = CountingNetwork()
    found = outline_pelvis(network, series_of(500), kinds_of(load_protocol("sacroiliac")))
    assert network.most <= 2 * BATCH
    assert network.seen <= 64
    assert set(np.unique(found.labels)) == {50, 51, 52, 53, 54}
    assert (found.labels == 50).any(axis=(0, 1)).all()  # slices between take the nearest outline
    gc.collect()
    assert not any(item() is not None for item, _ in network.alive)


def test_of_large_slices_fewer_are_taken_at_once() -> None:
    side = int(np.sqrt(BATCH_PIXELS / 2))
    network = CountingNetwork()
    slices = [k for k, _ in look_through(network, series_of(5, side=side), (0, 2, 4))]
    assert slices == [0, 2, 4]
    assert network.largest == 2
