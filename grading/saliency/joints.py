"""The windows of the sacroiliac grader, one a slice of each joint, and the joint's band as their focus."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from anatomy import SCALES, SIJ, Side, Structure
from grading.joints.crops import window_voxels
from grading.joints.frames import BAND_MM, SIDES, frame_band
from grading.joints.inputs import GatheredJoints, stack_joints
from grading.joints.model import JointInputs, JointNetwork, JointOutputs
from grading.joints.predict import JointGrader
from grading.saliency.focus import Region
from grading.saliency.place import WindowPlace
from grading.saliency.score import grade_score
from grading.saliency.types import SaliencyMethod
from grading.saliency.windows import EncoderTable, HeatWindow, ReadWindow, StudyWindows, window_heats
from grading.types import Grade
from imaging.types import Study
from segmentation.types import SegmentedStudy

JOINT = "joint"
"""Word of a window that lies along a joint."""
JOINT_STRUCTURE = {Side.LEFT: Structure.JOINT_SPACE_LEFT, Side.RIGHT: Structure.JOINT_SPACE_RIGHT}
_ENCODER = "encoder"


def joint_windows(grader: JointGrader, gathered: GatheredJoints) -> StudyWindows[JointInputs]:
    """Return the windows that the sacroiliac grader reads of located joints, on the fat-suppressed series."""
    stir = gathered.stir
    assert stir is not None
    assert stir.volume.affine is not None
    inputs = grader.network_inputs(stack_joints(gathered.joints, grader.config.crops))
    columns, rows, _ = stir.volume.shape
    windows = []
    for side, stack in gathered.joints.items():
        voxels = window_voxels(stack.windows, stir.volume.affine)
        for slot, (k, pixels) in enumerate(zip(stack.windows.slices, voxels, strict=True)):
            place = WindowPlace.of_pixels(pixels[:2], (rows, columns))
            index = SIDES.index(side), slot
            windows.append(ReadWindow(_ENCODER, index, SIJ, side, JOINT, stir.id, int(k), place))
    table = EncoderTable(inputs.present[0], inputs.crops[0, :, :, 0])
    return StudyWindows(inputs, tuple(windows), {_ENCODER: table})


def joint_heats(
    members: Sequence[JointNetwork], study: StudyWindows[JointInputs], grade: Grade, method: SaliencyMethod
) -> tuple[HeatWindow, ...]:
    """Return the heat of every slice that a grade rests on: of its joint, or of both for the patient's status.

    Args:
        members: Networks of one build.
        study: ``joint_windows`` of it.
        grade: Given by the network.
        method: How.

    Raises:
        RuntimeError: If the encoder did not read what its table says.
    """
    windows = [window for window in study.windows if grade.side in (None, window.side)]
    return window_heats(members, study, windows, joint_score(grade), method)


def joint_score(grade: Grade) -> Callable[[JointOutputs], Tensor]:
    """Return what reads the scalar that speaks for a grade off the network's answer."""
    steps = SCALES[grade.scale].grades
    named = steps.index(str(grade.grade))

    def score(outputs: JointOutputs) -> Tensor:
        logits = outputs.status if grade.side is None else outputs.stages[0, SIDES.index(grade.side)]
        return grade_score(logits, named, len(steps))

    return score


def joint_logits(grade: Grade) -> int:
    """Return the number of logits of a grade: the stage has one a step, the status one."""
    return 1 if grade.side is None else len(SCALES[grade.scale].grades)


def heaviest(heats: Sequence[HeatWindow], grade: Grade, count: int) -> tuple[HeatWindow, ...]:
    """Return the slices with most heat: that of the grade's evidence first, then the others, most heat first."""
    falling = sorted(heats, key=lambda item: -item.amount)
    evidence = None if grade.evidence is None else grade.evidence.slice_index
    first = [item for item in falling if item.window.slice_index == evidence][:1]
    return tuple([*first, *(item for item in falling if item not in first)][:count])


def joint_region(window: ReadWindow, gathered: GatheredJoints, study: Study, segmented: SegmentedStudy) -> Region:
    """Return the band of 10 mm (SPARCC's limit of deep oedema) on both sides of a window's joint, on its slice."""
    assert window.side is not None
    assert gathered.stir is not None
    volume = gathered.stir.volume
    assert volume.affine is not None
    frame = gathered.joints[window.side].frame
    band = frame_band(frame, volume.affine, volume.shape, np.array([window.slice_index]))[:, :, 0].T
    outlined = [series.id for series in study.series if segmented.label_map(series.id) is not None]
    return Region(band, gathered.stir.id if gathered.stir.id in outlined else outlined[0])


def region_words(side: Side) -> str:
    """Return how a person calls the region: the label of a picture."""
    return f"{side.value} joint ± {BAND_MM:.0f} mm"
