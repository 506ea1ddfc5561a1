"""The windows that a network read of a study, and the heat on each of them for one score. Any kind of grader.

A grader's own module (``discs``, ``joints``) says which windows there are and where they lie; from here on a
midline crop, a view and one slice of a joint are the same thing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
import torch
from torch import Tensor, nn

from anatomy import Side
from grading.saliency.gradients import Inputs, Outputs, encoder_heat
from grading.saliency.place import Cells, CropHeat, WindowPlace, enlarge
from grading.saliency.types import SaliencyMethod


@dataclass(frozen=True, eq=False)
class ReadWindow:
    """One window that a network read.

    Attributes:
        encoder: Name of the submodule that read it, such as ``encoder`` or ``view_encoders.0``.
        index: Its place in that encoder's table (``EncoderTable``).
        level: Disc level or ``SIJ``.
        side: Patient's side; None for the midline.
        view: ``midline``, a name of ``views.yaml``, or ``joint``.
        series_id: Series it was read off.
        slice_index: Slice k; of a window of several slices the middle one.
        place: Where it lies on that slice.
    """

    encoder: str
    index: tuple[int, ...]
    level: str
    side: Side | None
    view: str
    series_id: str
    slice_index: int
    place: WindowPlace


@dataclass(frozen=True, eq=False)
class EncoderTable:
    """What one encoder is given.

    Attributes:
        present: (...) bool, which windows there are; the encoder reads them in the order of this table.
        images: (..., H, W) first channel of the windows.
    """

    present: Tensor
    images: Tensor


@dataclass(frozen=True, eq=False)
class StudyWindows(Generic[Inputs]):
    """All that a network reads of one study.

    Attributes:
        inputs: As the network takes them.
        windows: Where they lie.
        tables: Encoder -> what it is given.
    """

    inputs: Inputs
    windows: tuple[ReadWindow, ...]
    tables: Mapping[str, EncoderTable]


@dataclass(frozen=True, eq=False)
class HeatWindow:
    """A window with its heat for one score, mean over the members of a grader.

    Attributes:
        window: Which.
        cells: (h, w) signed, as the feature map gave it, in units of the score; positive speaks for it.
        heat: (H, W) the same on the window's pixels.
    """

    window: ReadWindow
    cells: Cells
    heat: CropHeat

    @property
    def amount(self) -> float:
        """Return how much of the score the cells that speak for it hold, in units of the score."""
        return float(np.maximum(self.cells, 0.0).sum(dtype=np.float64))


def window_heats(
    members: Sequence[nn.Module],
    study: StudyWindows[Inputs],
    windows: Sequence[ReadWindow],
    score: Callable[[Outputs], Tensor],
    method: SaliencyMethod,
) -> tuple[HeatWindow, ...]:
    """Return the heat of some windows of a study.

    Args:
        members: Networks of one build, in eval mode.
        study: What they read.
        windows: Of ``study``.
        score: What a network returns for one study -> the scalar to explain.
        method: How.

    Raises:
        RuntimeError: If an encoder did not read what its table says.
    """
    encoders = dict.fromkeys(window.encoder for window in windows)
    cells = {name: _table_cells(members, study, name, score, method) for name in encoders}
    return tuple(
        HeatWindow(window, own, enlarge(own, window.place.shape))
        for window in windows
        for own in [cells[window.encoder][window.index]]
    )


def _table_cells(
    members: Sequence[nn.Module],
    study: StudyWindows[Inputs],
    encoder: str,
    score: Callable[[Outputs], Tensor],
    method: SaliencyMethod,
) -> Cells:
    """Return the cells of all windows of one encoder (..., h, w), mean over the members, 0 where none is."""
    table = study.tables[encoder]
    summed: Tensor | None = None
    for member in members:
        read, cells = encoder_heat(member, study.inputs, score, method, encoder=encoder)
        if not torch.equal(read, table.images[table.present]):
            raise RuntimeError(
                f"{encoder}: expected the {int(table.present.sum())} windows of its table in their order, "
                f"got {len(read)} that are not those"
            )
        placed = cells.new_zeros(*table.present.shape, *cells.shape[1:])
        placed[table.present] = cells
        summed = placed if summed is None else summed + placed
    assert summed is not None
    mean: Cells = (summed / len(members)).float().cpu().numpy()
    return mean
