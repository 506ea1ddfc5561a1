"""Heat of many grades of a disc grader at once: each network runs once, every grade asks it for its own gradient.

The same heat as ``discs.disc_heats`` with HiResCAM (each place by its own gradient), which runs the networks anew
for each grade. Meant for a reading that is shown on screen; figures are made one by one (``explain_grade``).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from grading.model import GradingNetwork
from grading.predict import Grader
from grading.saliency.discs import MIDLINE, disc_score, disc_windows, head_of
from grading.saliency.place import Cells, CropHeat, enlarge, onto_slice
from grading.saliency.types import HeatMap
from grading.saliency.windows import ReadWindow
from grading.types import Grade
from imaging.types import Study
from segmentation.types import SegmentedStudy

_LEAST = 0.05
"""Heat below this part of the level's largest counts as none: nothing would be seen of it. Own choice."""


@dataclass(frozen=True, eq=False)
class SliceHeat:
    """Heat of one grade on one slice.

    Attributes:
        series_id: Series.
        slice_index: Slice k.
        map: (rows, columns) on the original slice, 0 to 1; 1 is the largest heat of any window that the grade
            rests on at its level.
    """

    series_id: str
    slice_index: int
    map: HeatMap


def disc_slice_heats(
    grader: Grader, study: Study, segmented: SegmentedStudy, grades: Sequence[Grade]
) -> dict[str, SliceHeat]:
    """Return grade id -> heat on the slice of its evidence, or where that has none, on the slice with most heat.

    Args:
        grader: That gave the grades.
        study: The study.
        segmented: Its levels and outlines.
        grades: Given by networks. One without any heat that speaks for it is left out.
    """
    read = disc_windows(grader, study, segmented)
    cells: dict[str, dict[str, Cells]] = {grade.id: {} for grade in grades}
    for member in grader.members:
        mine = [grade for grade in grades if head_of(grader, grade).key in member.heads]
        for grade_id, name, values in _member_cells(grader, member, read.inputs, mine):
            present = read.tables[name].present.cpu().numpy()
            placed = np.zeros((*present.shape, *values.shape[1:]), dtype=np.float32)
            placed[present] = values
            found = cells[grade_id]
            found[name] = placed if name not in found else found[name] + placed
    heats = {grade.id: _slice_heat(grade, cells[grade.id], read.windows, grader) for grade in grades}
    return {name: heat for name, heat in heats.items() if heat is not None}


def _member_cells(
    grader: Grader, member: GradingNetwork, inputs: object, grades: Sequence[Grade]
) -> Iterator[tuple[str, str, Cells]]:
    """Yield (grade id, encoder, cells (N, h, w)) of one network's windows, in the order it read them."""
    names = [name for name, module in member.named_modules() if hasattr(module, "trunk")]
    with _trunk_features(member, names) as features, torch.enable_grad():
        outputs: Mapping[str, Tensor] = member(inputs)
        for grade in grades:
            level = grader.config.network.levels.index(str(grade.level))
            score = disc_score(outputs, head=head_of(grader, grade), grade=grade, level=level)
            gradients = torch.autograd.grad(score, list(features.values()), retain_graph=True, allow_unused=True)
            for (name, feature), gradient in zip(features.items(), gradients, strict=True):
                if gradient is not None:
                    yield grade.id, name, (feature * gradient).sum(dim=1).detach().float().cpu().numpy()


@contextmanager
def _trunk_features(network: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Keep the feature maps of the encoders' trunks of the forward pass made meanwhile, as leaves of the graph."""
    features: dict[str, Tensor] = {}

    def keep(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            features[name] = output.detach().requires_grad_()
            return features[name]

        return network.get_submodule(f"{name}.trunk").register_forward_hook(hook)

    handles = [keep(name) for name in names]
    try:
        yield features
    finally:
        for handle in handles:
            handle.remove()


def _slice_heat(
    grade: Grade, cells: Mapping[str, Cells], windows: Sequence[ReadWindow], grader: Grader
) -> SliceHeat | None:
    """Lay the heat of a grade's level on one slice; where several windows lie on it, their largest."""
    views = head_of(grader, grade).views
    there = [
        (window, np.maximum(enlarge(cells[window.encoder][window.index], window.place.shape), 0.0))
        for window in windows
        if window.encoder in cells and window.level == grade.level and _is_read(window, grade, views)
    ]
    largest = max((float(own.max()) for _, own in there), default=0.0)
    if largest <= 0:
        return None
    series_id, slice_index = _shown_slice(grade, there, largest)
    laid = [
        onto_slice((own / largest).astype(np.float32), window.place)
        for window, own in there
        if (window.series_id, window.slice_index) == (series_id, slice_index)
    ]
    return SliceHeat(series_id, slice_index, np.clip(np.maximum.reduce(laid), 0.0, 1.0))


def _is_read(window: ReadWindow, grade: Grade, views: Sequence[str]) -> bool:
    return window.view == MIDLINE or (window.view in views and grade.side in (None, window.side))


def _shown_slice(grade: Grade, there: Sequence[tuple[ReadWindow, CropHeat]], largest: float) -> tuple[str, int]:
    amounts: dict[tuple[str, int], float] = {}
    peaks: dict[tuple[str, int], float] = {}
    for window, own in there:
        key = window.series_id, window.slice_index
        amounts[key] = amounts.get(key, 0.0) + float(own.sum())
        peaks[key] = max(peaks.get(key, 0.0), float(own.max()))
    if grade.evidence is not None:
        wanted = grade.evidence.series_id, grade.evidence.slice_index
        if peaks.get(wanted, 0.0) >= _LEAST * largest:
            return wanted
    return max(amounts, key=lambda key: amounts[key])
