"""The windows of the disc grader: crops of the midline, and views beside and across it; what a grade rests on."""

from collections.abc import Mapping, Sequence
from functools import partial

from torch import Tensor

from anatomy import SCALES
from grading.crops import crop_pixels
from grading.heads import HeadInfo
from grading.inputs import gather_crops
from grading.model import GradingInputs
from grading.predict import Grader
from grading.saliency.focus import series_frames
from grading.saliency.place import WindowPlace
from grading.saliency.score import grade_score
from grading.saliency.types import SaliencyMethod
from grading.saliency.windows import EncoderTable, HeatWindow, ReadWindow, StudyWindows, window_heats
from grading.types import Grade
from grading.view_inputs import gather_windows, study_frames
from grading.views import SIDES, window_pixels
from imaging.types import Series, Study
from segmentation.types import SegmentedStudy

MIDLINE = "midline"
"""Word of a window that is a crop of the midline."""
_ENCODER = "encoder"


def disc_windows(grader: Grader, study: Study, segmented: SegmentedStudy) -> StudyWindows[GradingInputs]:
    """Return the windows that a disc grader reads of a study: the midline's first, in the network's order."""
    inputs = grader.network_inputs(study, segmented)
    tables = {_ENCODER: EncoderTable(inputs.present[0], inputs.crops[0])}
    for number, images in enumerate(inputs.windows):
        present = inputs.windows_present[0, ..., number]
        tables[_view_encoder(number)] = EncoderTable(present, images[0, :, :, 0])
    windows = (*_midline_windows(grader, study, segmented), *_view_windows(grader, study, segmented))
    return StudyWindows(inputs, windows, tables)


def disc_heats(
    grader: Grader, study: StudyWindows[GradingInputs], grade: Grade, method: SaliencyMethod
) -> tuple[HeatWindow, ...]:
    """Return the heat of every window that a grade rests on.

    That is the midline of all levels, since they inform each other, and the windows of the head's views at the
    grade's level: of its side, or of both where it has none. What is read of one side comes first for a grade of
    that side, else the midline.

    Args:
        grader: That gave the grade.
        study: ``disc_windows`` of it.
        grade: Given by a network, at a level of the configuration.
        method: How.

    Raises:
        RuntimeError: If an encoder did not read what its table says.
    """
    head = head_of(grader, grade)
    windows = sorted(
        (window for window in study.windows if _is_read(window, head, grade)),
        key=lambda window: (window.view == MIDLINE) == (grade.side is not None),
    )
    score = partial(disc_score, head=head, grade=grade, level=grader.config.network.levels.index(str(grade.level)))
    return window_heats(grader.members_of(head.key), study, windows, score, method)


def head_of(grader: Grader, grade: Grade) -> HeadInfo:
    """Return the head that gave a grade."""
    return next(head for head in grader.config.heads if head.key == grader.key_of(grade))


def disc_score(outputs: Mapping[str, Tensor], *, head: HeadInfo, grade: Grade, level: int) -> Tensor:
    """Return the scalar that speaks for a grade at a level, by its number in the configuration."""
    logits = outputs[head.key][0, level]
    if grade.side is not None:
        logits = logits[SIDES.index(grade.side)]
    steps = SCALES[grade.scale].grades
    return grade_score(logits, steps.index(str(grade.grade)), len(steps))


def _is_read(window: ReadWindow, head: HeadInfo, grade: Grade) -> bool:
    if window.view == MIDLINE:
        return True
    return (
        window.view in head.views
        and window.level == grade.level
        and (grade.side is None or window.side is grade.side)
    )


def _view_encoder(number: int) -> str:
    return f"view_encoders.{number}"


def _midline_windows(grader: Grader, study: Study, segmented: SegmentedStudy) -> Sequence[ReadWindow]:
    network, geometry = grader.config.network, grader.config.crops
    windows = []
    for item in gather_crops(study, segmented, grader.config)[0]:
        series = _series(study, item.series_id)
        frames = series_frames(series, segmented)
        for level in item.crops:
            place = WindowPlace.of_pixels(crop_pixels(frames[level], geometry), _slice_shape(series))
            index = network.levels.index(level), network.sequences.index(item.sequence)
            slice_index = item.evidence[level].slice_index
            windows.append(ReadWindow(_ENCODER, index, level, None, MIDLINE, series.id, slice_index, place))
    return windows


def _view_windows(grader: Grader, study: Study, segmented: SegmentedStudy) -> Sequence[ReadWindow]:
    if not grader.config.views:
        return []
    levels, frames = grader.config.network.levels, study_frames(study, segmented)
    found = gather_windows(study, segmented, grader.config)
    windows = []
    for number, view in enumerate(grader.config.views):
        cut = found.get(view.name)
        if cut is None:
            continue
        series = _series(study, cut.series_id)
        assert series.volume.affine is not None
        for (level, side), evidence in cut.evidence.items():
            pixels = window_pixels(frames[level], series.volume.affine, view, side)
            windows.append(
                ReadWindow(
                    encoder=_view_encoder(number),
                    index=(levels.index(level), SIDES.index(side)),
                    level=level,
                    side=side,
                    view=view.name,
                    series_id=series.id,
                    slice_index=evidence.slice_index,
                    place=WindowPlace.of_pixels(pixels, _slice_shape(series)),
                )
            )
    return windows


def _series(study: Study, series_id: str) -> Series:
    return next(series for series in study.series if series.id == series_id)


def _slice_shape(series: Series) -> tuple[int, int]:
    columns, rows, _ = series.volume.shape
    return rows, columns
