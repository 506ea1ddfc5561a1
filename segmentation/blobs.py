"""From a disc mask to disc candidates: connected components, joined where one disc fell apart, cut where two grew
together, without specks.

Sizes are relative to the usual disc of the same slice, so nothing depends on the pixel size.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segmentation.frame import SliceFrame
from segmentation.shapes import DiscShape, Pixels, build_shape

SPECK = 0.12
"""A blob smaller than this share of the usual disc area is dropped (the thinnest expert discs of SPIDER SPACE,
collapsed to a line, keep more than 0.15)."""
_SIDE_BY_SIDE = 0.28
"""Two blobs whose centres differ across the disc by less than this share of the usual length are one disc: the
discs themselves lie about one length apart."""
_TALL = 0.75
"""A blob taller than this share of the usual disc length is looked at for two discs grown together."""
_MOST = 40
"""At most this many of the largest components are looked at: a spine has 23 discs, noise has thousands."""
_EIGHT = np.ones((3, 3), dtype=np.intp)


def find_blobs(
    mask: NDArray[np.bool_], probability: NDArray[np.float32], frame: SliceFrame
) -> tuple[DiscShape, ...]:
    """Return the disc candidates of a slice, cranial to caudal.

    Args:
        mask: Disc pixels, (rows, columns).
        probability: Disc probability, same shape, 0 to 1.
        frame: The slice's plane.
    """
    shapes = [build_shape(pixels, probability, frame) for pixels in _components(mask)]
    shapes = _without_specks(shapes)
    if not shapes:
        return ()
    usual = usual_length(shapes)
    cut = [part for shape in shapes for part in _cut(shape, usual, probability, frame)]
    joined = _join(cut, usual, probability, frame)
    return tuple(sorted(_without_specks(joined), key=lambda shape: shape.centre[1]))


def usual_length(shapes: list[DiscShape] | tuple[DiscShape, ...]) -> float:
    """Return the median length of the larger candidates (at least 0.4 of the largest area)."""
    largest = max(shape.area for shape in shapes)
    return float(np.median([shape.length for shape in shapes if shape.area >= 0.4 * largest]))


def _components(mask: NDArray[np.bool_]) -> list[Pixels]:
    labels, count = ndimage.label(mask, structure=_EIGHT)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    windows = ndimage.find_objects(labels)
    parts: list[Pixels] = []
    for index in np.argsort(sizes)[::-1][:_MOST]:
        window = windows[index]
        rows, columns = np.nonzero(labels[window] == index + 1)
        parts.append(np.stack([columns + window[1].start, rows + window[0].start], axis=1).astype(np.intp))
    return [part for part in parts if len(part) >= 4]


def _without_specks(shapes: list[DiscShape]) -> list[DiscShape]:
    """Drop blobs far smaller than the usual one; the usual area is the median of the four largest."""
    if not shapes:
        return []
    areas = sorted((shape.area for shape in shapes), reverse=True)
    usual = float(np.median(areas[:4]))
    return [shape for shape in shapes if shape.area >= SPECK * usual]


def _cut(shape: DiscShape, usual: float, probability: NDArray[np.float32], frame: SliceFrame) -> list[DiscShape]:
    """Cut a blob that holds two discs at the thinnest place between them; else return it whole."""
    points = frame.to_plane(shape.pixels)
    height = float(np.ptp(points[:, 1]))
    if height < _TALL * usual:
        return [shape]
    place = _valley(points[:, 1], frame.row)
    if place is None:
        return [shape]
    above = points[:, 1] < place
    return [build_shape(shape.pixels[part], probability, frame) for part in (above, ~above) if part.sum() >= 4]


def _valley(positions: NDArray[np.float64], step: float) -> float | None:
    """Return where a two-humped profile of pixel counts is thinnest, None when it has one hump."""
    first = positions.min()
    counts = np.bincount(np.round((positions - first) / step).astype(np.intp)).astype(float)
    profile = ndimage.gaussian_filter1d(counts, sigma=max(1.0, len(counts) / 24))
    middle = slice(len(profile) // 5, len(profile) - len(profile) // 5)
    if profile[middle].size == 0:
        return None
    lowest = int(np.argmin(profile[middle])) + middle.start
    humps = min(profile[:lowest].max(initial=0.0), profile[lowest:].max(initial=0.0))
    return float(first + lowest * step) if profile[lowest] < 0.5 * humps else None


def _join(
    shapes: list[DiscShape], usual: float, probability: NDArray[np.float32], frame: SliceFrame
) -> list[DiscShape]:
    """Join blobs that lie side by side along one disc; the larger blob leads."""
    rest = sorted(shapes, key=lambda shape: -shape.area)
    joined: list[DiscShape] = []
    while rest:
        lead = rest.pop(0)
        for other in list(rest):
            if _are_one_disc(lead, other, usual):
                lead = build_shape(np.concatenate([lead.pixels, other.pixels]), probability, frame)
                rest.remove(other)
        joined.append(lead)
    return joined


def _are_one_disc(lead: DiscShape, other: DiscShape, usual: float) -> bool:
    """Return True when two blobs are parts of one disc: beside each other, and together no longer than a disc."""
    offset = other.centre - lead.centre
    across = abs(float(offset @ lead.normal))
    along = abs(float(offset @ lead.axis))
    together = along + lead.length / 2 + other.length / 2
    return across < _SIDE_BY_SIDE * usual and together < 1.5 * usual
