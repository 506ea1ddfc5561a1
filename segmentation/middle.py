"""The middle slice of a series, read: chain, gate, named levels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anatomy import Protocol, Structure
from imaging.types import Sequence, Series
from segmentation.chain import DiscChain
from segmentation.classes import SACRUM, VERTEBRA, SliceClasses, classify, kinds_of
from segmentation.frame import SliceFrame
from segmentation.gate import refuse_no_spine
from segmentation.instances import chain_discs
from segmentation.levels import Anchor, NamedChain, NamedDisc, locate_levels
from segmentation.naming import LevelNaming, shipped_tables
from segmentation.types import Level, SliceMaps
from segmentation.view import LUMBOSACRAL, look_around


@dataclass(frozen=True, eq=False)
class MiddleSlice:
    """One slice with its named levels.

    Attributes:
        slice_index: Slice k.
        classes: Its classes.
        chain: Its discs.
        named: Their names.
        frame: Its plane.
    """

    slice_index: int
    classes: SliceClasses
    chain: DiscChain
    named: NamedChain
    frame: SliceFrame


def read_middle(
    image: NDArray[np.float32],
    maps: SliceMaps,
    slice_index: int,
    protocol: Protocol,
    frame: SliceFrame,
    *,
    anchor: Anchor | None = None,
    is_forced: bool = False,
    naming: LevelNaming | None = None,
    sequence: Sequence = Sequence.UNKNOWN,
) -> MiddleSlice:
    """Find and name the discs of one slice.

    Args:
        image: The slice, (rows, columns).
        maps: The network's output for it (N = 1).
        slice_index: Slice k.
        protocol: Names that may be given and the fewest discs.
        frame: The slice's plane.
        anchor: One confirmed level.
        is_forced: A person says that it is a spine; see ``refuse_no_spine``.
        naming: What levels are named by; None takes the shipped tables and looks at no junction.
        sequence: Of the series: grey values are looked at on T2 only.

    Raises:
        NotEligibleError: With code ``no_spine_found``.
        ConfigError: If the anchor does not fit.
    """
    classes = classify(maps.structures, maps.probabilities[0], kinds_of(protocol))
    chain = chain_discs(classes, frame)
    refuse_no_spine(chain, protocol.min_levels, is_forced=is_forced)
    naming = naming or LevelNaming(shipped_tables())
    head = naming.head_for(sequence, maps) if LUMBOSACRAL in protocol.named_levels else None
    view = look_around(
        chain,
        content_box(image),
        classes.classes == VERTEBRA,
        frame,
        maps,
        sacrum=sacrum_of(classes, maps),
        image=image,
        head=head,
    )
    named = locate_levels(chain, view, maps, protocol.named_levels, frame, anchor=anchor, tables=naming.tables)
    return MiddleSlice(slice_index, classes, chain, named, frame)


def sacrum_of(classes: SliceClasses, maps: SliceMaps) -> NDArray[np.bool_] | None:
    """Return the sacrum's pixels; None when the network knows no sacrum."""
    return classes.classes == SACRUM if Structure.SACRUM.value in maps.structures else None


def content_box(image: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Return (x0, y0, x1, y1) of the slice without its empty margins (padding is one constant value)."""
    is_content = image != image[0, 0] if (image == image[0, 0]).mean() > 0.02 else np.ones(image.shape, dtype=bool)
    rows, columns = np.flatnonzero(is_content.any(axis=1)), np.flatnonzero(is_content.any(axis=0))
    if len(rows) == 0:
        return 0, 0, image.shape[1] - 1, image.shape[0] - 1
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def to_levels(
    discs: tuple[NamedDisc, ...], series: Series, slice_index: int, frame: SliceFrame
) -> tuple[Level, ...]:
    """Turn named discs into level records of a series."""
    return tuple(_level(disc, series, slice_index, frame) for disc in discs)


def _level(disc: NamedDisc, series: Series, slice_index: int, frame: SliceFrame) -> Level:
    centre, posterior = frame.to_px(disc.centre), frame.to_px(disc.posterior)
    along = frame.to_px(disc.axis * disc.length)
    affine = series.volume.affine
    world = None
    if affine is not None:
        point = affine @ np.array([centre[0], centre[1], slice_index, 1.0])
        world = (float(point[0]), float(point[1]), float(point[2]))
    return Level(
        name=disc.name,
        series_id=series.id,
        slice_index=slice_index,
        centre_px=(float(centre[0]), float(centre[1])),
        posterior_px=(float(posterior[0]), float(posterior[1])),
        centre_ras_mm=world,
        angle_deg=float(np.degrees(np.arctan2(along[1], along[0]))),
        length_px=float(np.linalg.norm(along)),
        confidence=disc.confidence,
        doubt=disc.doubt,
    )
