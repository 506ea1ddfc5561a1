"""A drawn pelvis for the tests: two joints as slanted planes between sacrum and ilium, images and outlines."""

import numpy as np
from numpy.typing import NDArray

from anatomy import SIJ
from imaging.types import AffineMatrix, Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from segmentation.types import LabelArray, LabelMap, Level, SegmentedStudy

HALF_MM, SLOPE_UP, SLOPE_FRONT = 42.0, 0.25, 0.4
"""A joint lies at |x| = HALF_MM + SLOPE_UP * z + SLOPE_FRONT * y."""
LENGTH_MM = 64.0
SHAPE = (112, 72, 9)
PIXEL_MM, SLICE_MM = 1.6, 4.0
MARROW, OEDEMA = 100.0, 500.0


def affine_of(*, shape: tuple[int, int, int] = SHAPE, slice_mm: float = SLICE_MM) -> AffineMatrix:
    """Return a coronal affine about the origin: columns to the left, rows to the feet, slices to the front."""
    affine = np.array(
        [[-PIXEL_MM, 0, 0, 0], [0, 0, slice_mm, 0], [0, -PIXEL_MM, 0, 0], [0, 0, 0, 1]], dtype=np.float64
    )
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def world(affine: AffineMatrix, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return RAS+ mm (3, I, J, K) of every voxel."""
    index = np.indices(shape).reshape(3, -1)
    return (affine[:3, :3] @ index + affine[:3, 3:4]).reshape(3, *shape)


def depth_mm(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mm outwards of the joint on either side; negative in the sacrum."""
    x, y, z = places
    return np.abs(x) - (HALF_MM + SLOPE_UP * z + SLOPE_FRONT * y)


def draw_labels(affine: AffineMatrix, shape: tuple[int, int, int] = SHAPE) -> LabelArray:
    """Outline sacrum, ilia and joint spaces."""
    places = world(affine, shape)
    depth, (x, _, z) = depth_mm(places), places
    here = np.abs(z) < LENGTH_MM / 2
    labels = np.zeros(shape, dtype=np.uint8)
    labels[here & (depth < 0)] = 50
    labels[here & (depth >= 0) & (depth < 20)] = np.where(x < 0, 51, 52)[here & (depth >= 0) & (depth < 20)]
    space = here & (np.abs(depth) < PIXEL_MM)
    labels[space] = np.where(x < 0, 53, 54)[space]
    return labels


def draw_stir(
    affine: AffineMatrix, shape: tuple[int, int, int] = SHAPE, *, oedema_at_x: float | None = None
) -> NDArray[np.float32]:
    """Draw marrow with a little noise; oedema 5 to 12 mm into the ilium of the side of ``oedema_at_x``."""
    places = world(affine, shape)
    image = np.full(shape, MARROW) + np.random.default_rng(0).normal(0, 2.0, shape)
    if oedema_at_x is not None:
        depth, (x, _, z) = depth_mm(places), places
        ball = (np.sign(x) == np.sign(oedema_at_x)) & (depth > 2) & (depth < 14) & (z > 5) & (z < 25)
        image[ball] = OEDEMA
    return image.astype(np.float32)


def series_of(
    array: NDArray[np.float32], affine: AffineMatrix | None, *, series_id: str, sequence: Sequence
) -> Series:
    """Return a coronal series in its role."""
    spacing = Spacing(PIXEL_MM, PIXEL_MM, SLICE_MM)
    volume = Volume(array, spacing, affine, array.shape)
    return Series(series_id, f"coronal_{sequence.value}", Plane.CORONAL, sequence, volume)


def study_of(*series: Series) -> Study:
    """Return a study of the joints."""
    return Study("pelvis", SourceKind.DICOM, "sacroiliac", series)


def segmented_of(study: Study, labels: dict[str, LabelArray]) -> SegmentedStudy:
    """Return a study with these outlines and the level of both joints."""
    primary = study.series[0].id
    level = Level(SIJ, primary, 4, (56.0, 36.0), (56.0, 36.0), (0.0, 0.0, 0.0), 0.0, 50.0, 0.9)
    maps = tuple(LabelMap(name, array) for name, array in labels.items())
    return SegmentedStudy(maps, primary, (level,), dict.fromkeys(labels, (level,)), ())
