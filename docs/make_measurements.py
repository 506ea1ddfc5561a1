"""Write docs/measurements.md from ``segmentation/measure/quantities.yaml`` and ``norms.csv``.

python docs/make_measurements.py
"""

from pathlib import Path

from segmentation.measure import load_quantities
from segmentation.measure.norms import norms

FILE = Path(__file__).parent / "measurements.md"

_HEAD = """# What is measured

Written by `python docs/make_measurements.py` from `segmentation/measure/quantities.yaml` and `norms.csv`.

`measure_study(study, label_maps, levels, protocol)` measures label maps numbered as `anatomy/codes.csv`, whoever
made them: our network, an imported segmentation, or a phantom's truth. Nothing is guessed: a quantity without a
value is there with its reason.

- **Frame.** The plane of the slice in mm; a series stored another way round is turned first, by its affine. Left
  and right are the patient's, told by positions (RAS+), and unknown without them.
- **Middle.** The canal's middle is followed through the stack; a level is measured on the two slices around it and
  the values are weighed by nearness. So a spine that bends to the side is cut near its own middle.
- **Edges.** Masks are interpolated linearly and cut at one half along lines, which is finer than a pixel.
- **Endplates.** A straight line and a bowl are fitted together to where the bone begins; the line through the rims
  counts, and pits (Schmorl nodes) do not turn it.
- **Without pixel spacing** only ratios of lengths along one direction and ratios of signals have values.
- **Level** of a reading: a disc level, a vertebra, `SIJ`, or none for the whole spine.

Errors on phantoms: `python -m benchmarks.measurements` (docs/benchmarks.md).
"""

_NORMS = """A percentile is the place in a normal distribution with this mean and deviation. No row, no percentile:
of the other quantities no norm was found with its spread by level (CLINICAL.md 1.1), or the published ones are
defined in another way. Fixed limits (Verbiest's canal diameters, dural sac areas) are rules of grading."""


def text() -> str:
    """Return the page."""
    lines = [_HEAD, "| quantity | unit | of | definition | method in a reading | source | no value when |"]
    lines.append("|---|---|---|---|---|---|---|")
    for item in load_quantities().values():
        cells = (f"`{item.name}`: {item.title}", item.unit, item.place, item.definition, item.method, item.source)
        lines.append(f"| {' | '.join(cells)} | {item.not_assessable} |")
    lines += ["", "## Norms", "", _NORMS, ""]
    lines += ["| quantity | level | mean (SD) | unit | population | source |", "|---|---|---|---|---|---|"]
    for (name, level), norm in norms().items():
        lines.append(
            f"| `{name}` | {level} | {norm.mean} ({norm.sd}) | {norm.unit} | {norm.population} | {norm.source} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
