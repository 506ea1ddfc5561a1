"""Axial series: outlined slice by slice, and named by the sagittal levels they cross.

An axial slice does not tell by itself which level it lies at. What is outlined on it is named through millimetres
by the numbered outlines of the primary sagittal series: a disc by the majority of its pixels, vertebra pixel by
pixel (one slice may cross a body and the facets of the vertebra above). What lies near no outline gets no name and
stays background. Both series must share one frame of reference; a patient who moved between them moves the names.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anatomy import DISC_LEVELS, VERTEBRAE, Structure, disc_label, vertebra_label
from imaging.types import AffineMatrix, Series
from segmentation.classes import CORD, DISC, SACRUM, VERTEBRA, class_map, is_canal
from segmentation.instances import fixed_label
from segmentation.places import NearestLabel, pixel_places, to_ras, to_voxels
from segmentation.regions import axial_region
from segmentation.scan import SliceNetwork, all_slices, look_through
from segmentation.spread import fill_unread
from segmentation.types import LabelArray, LabelMap, Level, Region

MAX_AXIAL = 96
"""Most slices of an axial series that are read; they differ too much for one to speak for many (own choice)."""

_DISC_REACH, _VERTEBRA_REACH, _CANAL_REACH = 0.5, 0.8, 0.6
"""How far, in pitches, an axial pixel may lie from the outline that names it: less than to the next disc, about
what a transverse process reaches beyond the slices, and about one canal width (own choices)."""


class SpineNames:
    """Names for places in the body, from the numbered outlines of one sagittal series.

    Args:
        labels: (I, J, K) label numbers of the primary series.
        affine: Of that series.
        pitch_mm: Usual distance of neighbouring discs.
    """

    def __init__(self, labels: LabelArray, affine: AffineMatrix, pitch_mm: float) -> None:
        self._pitch = pitch_mm
        self._discs = NearestLabel(labels, affine, (disc_label(level) for level in DISC_LEVELS))
        self._vertebrae = NearestLabel(labels, affine, (vertebra_label(name) for name in VERTEBRAE))
        canal = (fixed_label(Structure.SPINAL_CANAL), fixed_label(Structure.SPINAL_CORD))
        self._canal = NearestLabel(labels, affine, canal)

    def name_slice(self, classes: NDArray[np.uint8], k: int, affine: AffineMatrix) -> NDArray[np.uint8]:
        """Return the label numbers of axial slice k, (rows, columns).

        Args:
            classes: Its class map.
            k: Its index.
            affine: Of the axial series.
        """
        labels = np.zeros(classes.shape, dtype=np.uint8)
        vertebra = classes == VERTEBRA
        labels[vertebra] = self._vertebrae.at(pixel_places(vertebra, k, affine), _VERTEBRA_REACH * self._pitch)
        canal = self._near_canal(is_canal(classes), k, affine)
        labels[canal] = fixed_label(Structure.SPINAL_CANAL)
        labels[canal & (classes == CORD)] = fixed_label(Structure.SPINAL_CORD)
        labels[classes == SACRUM] = fixed_label(Structure.SACRUM)
        for piece in _pieces(classes == DISC):
            labels[piece] = self._name_disc(piece, k, affine)
        return labels

    def _name_disc(self, piece: NDArray[np.bool_], k: int, affine: AffineMatrix) -> int:
        """Return the label of one disc: what most of its pixels lie nearest to; 0 when most lie near none."""
        votes = np.bincount(self._discs.at(pixel_places(piece, k, affine), _DISC_REACH * self._pitch))
        return int(votes.argmax())

    def _near_canal(self, canal: NDArray[np.bool_], k: int, affine: AffineMatrix) -> NDArray[np.bool_]:
        """Return the canal without pieces that lie away from that of the sagittal series."""
        kept = np.zeros_like(canal)
        for piece in _pieces(canal):
            near = self._canal.at(pixel_places(piece, k, affine), _CANAL_REACH * self._pitch)
            kept |= piece & bool((near > 0).mean() > 0.5)
        return kept


@dataclass(frozen=True, eq=False)
class AxialReading:
    """What an axial series shows.

    Attributes:
        label_map: Its outlines.
        levels: The primary series' levels that it crosses.
        regions: One a level.
    """

    label_map: LabelMap
    levels: tuple[Level, ...]
    regions: tuple[Region, ...]


def read_axial(
    network: SliceNetwork,
    series: Series,
    primary: Series,
    levels: tuple[Level, ...],
    names: SpineNames,
    kinds: Iterable[Structure],
    pitch_mm: float,
) -> AxialReading:
    """Outline an axial series and name what it shows.

    Args:
        network: Knows axial slices.
        series: Axial, with an affine.
        primary: The sagittal series the levels lie on; has an affine.
        levels: Its levels.
        names: Made of its outlines.
        kinds: Structures that are wanted.
        pitch_mm: Usual distance of neighbouring discs.
    """
    assert series.volume.affine is not None
    located = levels_across(levels, primary, series)
    wanted, slices = tuple(kinds), all_slices(series, MAX_AXIAL)
    labels = np.zeros(series.volume.shape, dtype=np.uint8)
    regions: list[Region] = []
    for k, maps in look_through(network, series, slices):
        classes = class_map(maps.structures, maps.probabilities[0], wanted)
        labels[:, :, k] = names.name_slice(classes, k, series.volume.affine).T
        here = [level for level in located if _nearest(slices, level.slice_index) == k]
        regions += [axial_region(level, series, maps, pitch_mm, network.checksum) for level in here]
    fill_unread(labels, slices)
    order = {level.name: rank for rank, level in enumerate(located)}
    return AxialReading(
        LabelMap(series.id, labels), located, tuple(sorted(regions, key=lambda region: order[region.level]))
    )


def levels_across(levels: tuple[Level, ...], primary: Series, series: Series) -> tuple[Level, ...]:
    """Return the levels whose disc centre an axial series covers, on the slice nearest to that centre.

    Points are those of the primary series, moved through millimetres; an oblique slice that leaves a tilted disc
    behind its centre shows the posterior point's place, not the margin itself.
    """
    if primary.volume.affine is None or series.volume.affine is None or not levels:
        return ()
    points = [(*point, level.slice_index) for level in levels for point in (level.centre_px, level.posterior_px)]
    places = to_ras(primary.volume.affine, points)
    voxels = to_voxels(series.volume.affine, places).reshape(-1, 2, 3)
    columns, rows, slices = series.volume.shape
    found = []
    for level, (centre, posterior), place in zip(levels, voxels, places[::2], strict=True):
        is_inside = 0 <= centre[0] < columns and 0 <= centre[1] < rows and -0.5 <= centre[2] < slices - 0.5
        if is_inside:
            found.append(_moved(level, series, centre, posterior, place))
    return tuple(found)


def _moved(
    level: Level,
    series: Series,
    centre: NDArray[np.float64],
    posterior: NDArray[np.float64],
    place: NDArray[np.float64],
) -> Level:
    along = posterior[:2] - centre[:2]
    return replace(
        level,
        series_id=series.id,
        slice_index=round(float(centre[2])),
        centre_px=(float(centre[0]), float(centre[1])),
        posterior_px=(float(posterior[0]), float(posterior[1])),
        centre_ras_mm=(float(place[0]), float(place[1]), float(place[2])),
        angle_deg=float(np.degrees(np.arctan2(along[1], along[0]))),
        length_px=2 * float(np.linalg.norm(along)),
    )


def _nearest(slices: tuple[int, ...], k: int) -> int:
    return min(slices, key=lambda item: (abs(item - k), item))


def _pieces(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    pieces, count = ndimage.label(mask)
    return [pieces == index for index in range(1, count + 1)]
