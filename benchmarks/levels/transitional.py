"""How often a transitional spine is misnumbered in silence, on phantoms' true outlines.

    python -m benchmarks.levels.transitional [--count 40]

Each seed is drawn three times, with a usual junction, a sacralised L5 and a lumbarised S1 (names are anatomical:
L5-S1 lies below L5 however it looks), and its middle slice is painted. Two readers see it: one that outlines what
is there (the sacrum as sacrum), and one that outlines what it looks like, as a network does: a lumbarised S1 as a
vertebra with a disc below it, a sacralised L5 as sacrum with its small disc left out. Level maps answer for the
true names, for what it looks like, or not at all. A level is right, in doubt, or wrong without doubt.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anatomy import DISC_LEVELS, disc_label, load_protocol, vertebra_label
from imaging.phantom.canvas import Canvas
from imaging.phantom.grid import Grid
from imaging.phantom.lumbar.draw import draw_plan
from imaging.phantom.lumbar.draw_more import sacralise
from imaging.phantom.lumbar.plan import LUMBARISED, SACRALISED, USUAL
from imaging.phantom.lumbar.scene import LumbarScene, scene_from_plan
from imaging.phantom.lumbar.tables import load_tables
from imaging.phantom.setup import load_setup
from imaging.phantom.tissues import Palette
from imaging.types import Spacing
from runtime.errors import NotEligibleError
from segmentation.frame import SliceFrame
from segmentation.middle import read_middle
from segmentation.naming import LevelNaming, shipped_tables
from segmentation.types import SliceMaps

KINDS = (USUAL, SACRALISED, LUMBARISED)
STRUCTURES = ("disc", "vertebra", "spinal_canal", "sacrum")
MAP_LEVELS = DISC_LEVELS[-5:]
_SACRUM, _CANALS = 50, (100, 101)
_SEEN, _BUMP_MM, _STRIDE = 0.95, 6.0, 4


@dataclass(frozen=True, eq=False)
class PaintedSlice:
    """The middle slice of a phantom.

    Attributes:
        masks: Structure -> (rows, columns) as outlined.
        points: True level -> posterior margin (x, y), pixels.
        looks: The same points under the names that the spine's look suggests.
        spacing: Of the pixels.
    """

    masks: dict[str, NDArray[np.bool_]]
    points: dict[str, tuple[float, float]]
    looks: dict[str, tuple[float, float]]
    spacing: Spacing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40, help="seeds, each drawn with every junction")
    options = parser.parse_args()
    naming = LevelNaming(shipped_tables())
    print("| junction | outlines | level maps | levels | right | in doubt | wrong without doubt |")
    print("|---|---|---|---|---|---|---|")
    for kind in KINDS:
        for outlines in ("true",) if kind == USUAL else ("true", "as it looks"):
            slices = [paint(seed, kind, looks=outlines != "true") for seed in range(options.count)]
            for answers in ("none", "true") if kind == USUAL else ("none", "true", "as it looks"):
                counts = np.sum([judge(item, answers, naming) for item in slices], axis=0)
                shares = " | ".join(f"{count / counts.sum():.3f}" for count in counts)
                print(f"| {kind} | {outlines} | {answers} | {counts.sum()} | {shares} |")


def judge(painted: PaintedSlice, answers: str, naming: LevelNaming) -> tuple[int, int, int]:
    """Return how many of the levels L1-L2 to L5-S1 are right, in doubt (right or not), and wrong without doubt."""
    points = {"none": {}, "true": painted.points, "as it looks": painted.looks}[answers]
    maps = maps_of(painted, points)
    frame = SliceFrame.of(painted.spacing)
    picture = np.random.default_rng(0).uniform(1, 2, maps.probabilities.shape[2:]).astype(np.float32)
    try:
        named = read_middle(picture, maps, 0, load_protocol("lumbar"), frame, naming=naming).named.discs
    except NotEligibleError:
        return 0, len(MAP_LEVELS), 0
    right = doubt = wrong = 0
    for level in MAP_LEVELS:
        found = next((disc for disc in named if disc.name == level), None)
        if found is None or found.doubt is not None:
            doubt += 1
            continue
        distance = np.linalg.norm(found.posterior - frame.to_plane(painted.points[level]))
        right, wrong = (right + 1, wrong) if distance <= 12.0 else (right, wrong + 1)
    return right, doubt, wrong


def paint(seed: int, kind: str, *, looks: bool) -> PaintedSlice:
    """Paint the middle slice of a seed with a junction."""
    setup, palette = load_setup("setup_lumbar"), Palette()
    tables = load_tables(setup.anatomy)
    plan = replace(draw_plan(tables, seed=seed), numbering=USUAL)
    plan = sacralise(plan, tables) if kind == SACRALISED else replace(plan, numbering=kind)
    scene = scene_from_plan(plan, setup, palette=palette)
    row = next(item for item in setup.series if item.role == "sagittal_t2")
    affine, (columns, rows, slices) = scene.grid(row)
    affine = affine.copy()
    affine[:3, 3] += affine[:3, 2] * (slices - 1) / 2
    canvas = Canvas(Grid(affine, (columns, rows, 1), sub_slices=1, thickness=row.thickness / row.spacing))
    scene.paint(canvas)
    labels = canvas.labels()[:, :, 0].T
    masks = {
        "disc": labels > disc_label("L5-S1") - 1,
        "vertebra": (labels >= 1) & (labels <= vertebra_label("C1")),
        "spinal_canal": np.isin(labels, _CANALS),
        "sacrum": labels == _SACRUM,
    }
    if looks:
        masks = _as_it_looks(kind, masks, labels, scene, canvas)
    points = dict(_points(scene, affine))
    spacing = Spacing(*np.linalg.norm(affine[:3, :2], axis=0)[::-1].tolist())
    return PaintedSlice(masks, points, _shifted(points, kind), spacing)


def maps_of(painted: PaintedSlice, points: dict[str, tuple[float, float]]) -> SliceMaps:
    """Return a network's answer."""
    rows, columns = painted.masks["disc"].shape
    y, x = np.mgrid[0 : rows // _STRIDE, 0 : columns // _STRIDE] * float(_STRIDE) + (_STRIDE - 1) / 2
    level_maps = np.zeros((len(MAP_LEVELS), rows // _STRIDE, columns // _STRIDE), dtype=np.float32)
    for index, level in enumerate(MAP_LEVELS):
        if level in points:
            away = np.hypot(
                (x - points[level][0]) * painted.spacing.col_mm, (y - points[level][1]) * painted.spacing.row_mm
            )
            level_maps[index] = 0.9 * np.exp(-0.5 * (away / _BUMP_MM) ** 2)
    names = (*STRUCTURES, *MAP_LEVELS)
    return SliceMaps(
        structures=STRUCTURES,
        probabilities=np.stack([painted.masks[name] * np.float32(_SEEN) for name in STRUCTURES])[None],
        level_names=MAP_LEVELS,
        level_maps=level_maps[None],
        level_stride=(float(_STRIDE), float(_STRIDE)),
        prompt_names=names,
        prompt_tokens=np.zeros((1, len(names), 2), dtype=np.float32),
    )


def _as_it_looks(
    kind: str,
    masks: dict[str, NDArray[np.bool_]],
    labels: NDArray[np.uint8],
    scene: LumbarScene,
    canvas: Canvas,
) -> dict[str, NDArray[np.bool_]]:
    """Return the outlines of a network that goes by looks."""
    if kind == SACRALISED:
        fused = labels == vertebra_label("L5")
        return masks | {
            "vertebra": masks["vertebra"] & ~fused,
            "disc": masks["disc"] & (labels != disc_label("L5-S1")),
            "sacrum": masks["sacrum"] | fused,
        }
    view = canvas.whole()
    body = scene.spine.body("S1")
    _, height, _ = body.frame.local(view.x, view.y, view.z)
    below = np.broadcast_to(np.asarray(height, dtype=np.float64), canvas.grid.sample_shape)[:, :, 0].T
    is_first = masks["sacrum"] & (below >= -body.height / 2)
    gap = scene.palette.number("disc_S1-S2")
    return masks | {
        "vertebra": masks["vertebra"] | is_first,
        "sacrum": masks["sacrum"] & ~is_first,
        "disc": masks["disc"] | np.equal(canvas.tissue[:, :, 0].T, gap),
    }


def _points(scene: LumbarScene, affine: NDArray[np.float64]) -> Iterator[tuple[str, tuple[float, float]]]:
    inverse = np.linalg.inv(affine)
    for level in scene.measure().levels:
        voxel = inverse @ np.array([*level.posterior_ras_mm, 1.0])
        yield level.name, (float(voxel[0]), float(voxel[1]))


def _shifted(points: dict[str, tuple[float, float]], kind: str) -> dict[str, tuple[float, float]]:
    """Return the names that the look suggests: one further down where L5 looks like S1, and the reverse."""
    by = {USUAL: 0, SACRALISED: 1, LUMBARISED: -1}[kind]
    order = [*DISC_LEVELS]
    return {
        order[order.index(level) + by]: point
        for level, point in points.items()
        if 0 <= order.index(level) + by < len(order)
    }


if __name__ == "__main__":
    main()
