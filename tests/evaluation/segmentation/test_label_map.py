"""Label maps on disk: what is read, and each way it is refused."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from evaluation.segmentation.label_map import check_same_grid, read_label_map
from runtime import StudyError


def nifti(file: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    image = nib.nifti1.Nifti1Image(array, np.eye(4) if affine is None else affine)  # type: ignore[no-untyped-call]
    nib.save(image, file)
    return file


def test_spacing_follows_the_axes_of_the_file(tmp_path: Path) -> None:
    affine = np.array([[0.0, 0, 4, 0], [0.5, 0, 0, 0], [0, -0.6, 0, 0], [0, 0, 0, 1]])
    found = read_label_map(nifti(tmp_path / "a.nii.gz", np.ones((3, 4, 5), dtype=np.uint8), affine))
    assert found.spacing_mm == pytest.approx((0.5, 0.6, 4.0))
    assert found.labels.shape == (3, 4, 5)


def test_a_picture_has_the_spacing_it_is_given(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 6), 201, dtype=np.uint8)).save(tmp_path / "a.png")
    assert read_label_map(tmp_path / "a.png").spacing_mm is None
    assert read_label_map(tmp_path / "a.png", spacing_mm=(0.5, 0.6)).spacing_mm == (0.5, 0.6)


def test_what_is_no_label_map_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    (tmp_path / "text.nii.gz").write_text("no volume", encoding="utf-8")
    (tmp_path / "text.nii").write_text("no volume", encoding="utf-8")
    for name in ("text.png", "text.nii.gz", "text.nii"):
        with pytest.raises(StudyError, match=rf"{name}: expected a (NIfTI )?label map, found"):
            read_label_map(tmp_path / name)
    Image.fromarray(np.zeros((4, 4, 3), dtype=np.uint8)).save(tmp_path / "colour.png")
    with pytest.raises(StudyError, match="expected one channel of label numbers, found RGB"):
        read_label_map(tmp_path / "colour.png")
    with pytest.raises(StudyError, match="expected whole label numbers, found fractions"):
        read_label_map(nifti(tmp_path / "soft.nii.gz", np.full((2, 2, 2), 0.5)))
    with pytest.raises(StudyError, match="of 2 or 3 axes, got shape"):
        read_label_map(nifti(tmp_path / "many.nii.gz", np.zeros((2, 2, 2, 3), dtype=np.uint8)))


def test_grids_must_be_the_same(tmp_path: Path) -> None:
    array = np.zeros((4, 4, 4), dtype=np.uint8)
    here = read_label_map(nifti(tmp_path / "a.nii.gz", array))
    small = read_label_map(nifti(tmp_path / "b.nii.gz", array[:3]))
    with pytest.raises(StudyError, match=r"b\.nii\.gz: expected shape \(4, 4, 4\)"):
        check_same_grid(small, here)
    flipped = read_label_map(nifti(tmp_path / "c.nii.gz", array, np.diag([-1.0, 1, 1, 1])))
    with pytest.raises(StudyError, match=r"found corners up to 6\.0 mm away; resample"):
        check_same_grid(flipped, here)
    nudged = np.eye(4)
    nudged[0, 3] = 0.05
    check_same_grid(read_label_map(nifti(tmp_path / "d.nii.gz", array, nudged)), here)
