"""Draw the figures of phantoms in docs/images from the phantoms themselves: `python docs/make_phantom_figure.py`.

Phantoms only: the real half of the comparison (benchmarks/phantom_look.py) stays on the machine that has the data.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.phantom import Phantom, build_phantom, phantom_picture

FOLDER = Path(__file__).resolve().parent / "images"
_HEIGHT = 300
_GAP = 6


@dataclass(frozen=True)
class Figure:
    """One row of pictures of one phantom: (series role, level or None for the middle slice)."""

    name: str
    protocol: str
    seed: int
    setup: str | None
    pictures: tuple[tuple[str, str | None], ...]


FIGURES = (
    Figure(
        "phantom-lumbar", "lumbar", 9, "setup_lumbar_stir",
        (("sagittal_t1", None), ("sagittal_t2", None), ("sagittal_stir", None), ("axial_t2", "L4-L5")),
    ),
    Figure(
        "phantom-cervical", "cervical", 8, None,
        (("sagittal_t1", None), ("sagittal_t2", None), ("sagittal_stir", None), ("axial_t2", "C5-C6")),
    ),
    Figure("phantom-sacroiliac", "sacroiliac", 7, None, (("coronal_t1", None), ("coronal_stir", None))),
    Figure(
        "phantom-contrasts", "lumbar", 9, "setup_lumbar_random",
        (("sagittal_t1", None), ("sagittal_t2", None), ("axial_t2", "L4-L5")),
    ),
)  # fmt: skip


def main() -> None:
    """Write all figures."""
    for figure in FIGURES:
        phantom = build_phantom(figure.protocol, seed=figure.seed, setup=figure.setup)
        file = FOLDER / f"{figure.name}.png"
        Image.fromarray(draw(phantom, figure)).save(file, optimize=True)


def draw(phantom: Phantom, figure: Figure) -> NDArray[np.uint8]:
    """Return the pictures of a figure in a row, each as high as the others."""
    gap = np.full((_HEIGHT, _GAP), 255, dtype=np.uint8)
    parts: list[NDArray[np.uint8]] = []
    for role, level in figure.pictures:
        picture = Image.fromarray(phantom_picture(phantom, role=role, level=level))
        width = round(picture.width * _HEIGHT / picture.height)
        parts += [np.asarray(picture.resize((width, _HEIGHT), Image.Resampling.BICUBIC)), gap]
    return np.hstack(parts[:-1])


if __name__ == "__main__":
    main()
