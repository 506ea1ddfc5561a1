from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaging import load_study, write_label_map
from imaging.types import Plane, Sequence, Series, SourceKind, Volume
from runtime.errors import StudyError

GREY = (np.add.outer(np.arange(120) * 2, np.arange(100)) % 256).astype(np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_gets_a_png_on_its_stored_grid(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GREY).save(tmp_path / "t2.png", exif=exif)
    study = load_study(tmp_path / "t2.png")
    labels = study.series[0].volume.array.astype(np.uint8)
    path = write_label_map(labels, study.series[0], study.source, tmp_path)
    with Image.open(path) as written:
        assert (path.name, written.mode, written.size) == ("label_map.png", "L", (100, 120))
        # The picture's own pixels, given as labels, must come back where they were.
        np.testing.assert_array_equal(np.asarray(written), GREY)


def _series(affine: np.ndarray | None) -> Series:
    volume = Volume(np.zeros((4, 5, 2), dtype=np.float32), None, affine, (4, 5, 2))
    return Series("S1", None, Plane.SAGITTAL, Sequence.T2, volume)


@pytest.mark.parametrize(
    "labels", [np.zeros((4, 5, 2), dtype=np.int16), np.zeros((5, 4, 2), dtype=np.uint8)], ids=["type", "shape"]
)
def test_labels_of_another_shape_or_type_are_refused(tmp_path: Path, labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8 of shape"):
        write_label_map(labels, _series(np.eye(4)), SourceKind.NIFTI, tmp_path)


def test_a_volume_without_a_place_has_no_nifti(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="needs an affine"):
        write_label_map(np.zeros((4, 5, 2), dtype=np.uint8), _series(None), SourceKind.DICOM, tmp_path)
