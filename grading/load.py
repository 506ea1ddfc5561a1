"""Open whichever grader a weights folder holds: that of discs, or that of the sacroiliac joints."""

from pathlib import Path

from grading.joints.predict import JointGrader
from grading.joints.storage import JOINT_FORMAT
from grading.predict import Grader
from runtime.settings import load_settings
from runtime.weights import open_weights


def load_grader(*, name: str, weights_root: Path | None = None, device: str = "auto") -> Grader | JointGrader:
    """Load verified grading weights.

    Args:
        name: Folder of the model.
        weights_root: Folder of all weights; None takes that of the settings.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        WeightsError: If the weights are missing, changed or of another format.
    """
    root = load_settings().weights_dir if weights_root is None else weights_root
    kind = JointGrader if open_weights(name, root).config.get("format") == JOINT_FORMAT else Grader
    return kind.load(weights_root=root, name=name, device=device)
