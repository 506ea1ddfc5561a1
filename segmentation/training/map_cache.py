"""The network's maps kept on disk: tuning and re-scoring then take seconds.

One file per slice under ``runs/levels/<first 16 signs of the weights' checksum>/``, so that new weights never meet
old maps. Probabilities and level maps are kept as float16: a name may differ from that of the live network only
where a probability lies within 5e-4 of a threshold.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from imaging.types import Spacing
from segmentation.scan import SliceNetwork
from segmentation.types import SliceMaps

FOLDER = Path("runs/levels")


class CachedNetwork:
    """A network that looks at each picture once.

    Args:
        checksum: Of the weights.
        open_network: Loads them; called only when a picture was never seen.
        folder: Where the maps lie.
    """

    def __init__(self, checksum: str, open_network: Callable[[], SliceNetwork], folder: Path = FOLDER) -> None:
        self.checksum = checksum
        self._open = open_network
        self._network: SliceNetwork | None = None
        self._folder = folder / checksum[:16]

    def segment_slices(
        self,
        images: NDArray[np.float32],
        spacing: Spacing | None,
        neighbours: NDArray[np.float32] | None = None,
    ) -> SliceMaps:
        """Return the maps of N slices, from disk where they are."""
        is_alone = neighbours is None or bool((neighbours == images[:, None]).all())
        seen = images if is_alone else np.concatenate([images[:, None], neighbours], axis=1)
        file = self._folder / f"{_key(seen, spacing)}.npz"
        maps = _read(file)
        if maps is None:
            maps = self._live().segment_slices(images, spacing, neighbours=neighbours)
            _write(file, maps)
        return maps

    def _live(self) -> SliceNetwork:
        if self._network is None:
            self._network = self._open()
        return self._network


def _key(images: NDArray[np.float32], spacing: Spacing | None) -> str:
    seen = sha256(np.ascontiguousarray(images).tobytes())
    seen.update(repr((images.shape, str(images.dtype), spacing)).encode())
    return seen.hexdigest()[:24]


def _read(file: Path) -> SliceMaps | None:
    """Return the maps of a file; None when there is none or its writing was cut short."""
    if not file.is_file():
        return None
    try:
        with np.load(file) as kept:
            return SliceMaps(
                structures=tuple(kept["structures"].tolist()),
                probabilities=kept["probabilities"].astype(np.float32),
                level_names=tuple(kept["level_names"].tolist()),
                level_maps=kept["level_maps"].astype(np.float32),
                level_stride=(float(kept["level_stride"][0]), float(kept["level_stride"][1])),
                prompt_names=tuple(kept["prompt_names"].tolist()),
                prompt_tokens=kept["prompt_tokens"],
            )
    except (BadZipFile, EOFError, ValueError):
        return None


def _write(file: Path, maps: SliceMaps) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez_compressed(
        part,
        structures=np.array(maps.structures),
        probabilities=maps.probabilities.astype(np.float16),
        level_names=np.array(maps.level_names),
        level_maps=maps.level_maps.astype(np.float16),
        level_stride=np.array(maps.level_stride),
        prompt_names=np.array(maps.prompt_names),
        prompt_tokens=maps.prompt_tokens,
    )
    part.replace(file)
