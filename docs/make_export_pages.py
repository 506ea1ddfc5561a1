"""Draw the first two pages of an exported PDF for docs/images: `python docs/make_export_pages.py report.pdf`.

Of a phantom's report only; the commands stand in docs/interoperability.md. Needs poppler's `pdftoppm`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).resolve().parent / "images"
_PAGES = 2
_DOTS_PER_INCH = 72
_COLOURS = 160


def draw(report: Path) -> None:
    """Write export-page-1.png and export-page-2.png, small: few colours, no dithering."""
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "page"
        options = ("-r", str(_DOTS_PER_INCH), "-l", str(_PAGES), "-png")
        subprocess.run(["pdftoppm", *options, str(report), str(stem)], check=True)
        for number, page in enumerate(sorted(Path(folder).iterdir()), start=1):
            with Image.open(page) as picture:
                few = picture.convert("RGB").quantize(
                    _COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
                )
            few.save(FOLDER / f"export-page-{number}.png", optimize=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
