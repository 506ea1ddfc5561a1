"""Training slices with real cord masks: orientation, what is known, groups and folds."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.errors import StudyError
from runtime.folds import FOLD_COUNT, spider_folds
from segmentation.training.cords import (
    LEAST_FIELD_MM,
    VOLUMES,
    VOLUNTEERS,
    CordVolume,
    challenge_volumes,
    cord_folds,
    cord_slices,
    load_cord_slices,
    pad_field,
    plane_slices,
    sct_volumes,
)
from segmentation.training.data import CLASSES, UNKNOWN

CORD = CLASSES.index("spinal_cord") + 1
RIGHT, FRONT, HEAD = 100.0, 200.0, 300.0


def a_volume(spacing: tuple[float, float, float] = (4.0, 4.0, 5.0)) -> CordVolume:
    """Return 40 x 50 x 12 voxels: bright marks at the right, front and head ends, a cord in k 2 to 9."""
    image = np.zeros((40, 50, 12), dtype=np.float32)
    image[-1], image[:, -1], image[:, :, -1] = RIGHT, FRONT, HEAD
    cord = np.zeros(image.shape, dtype=bool)
    cord[10:13, 20:22, 2:10] = True
    return CordVolume("made_up", 10001, image, cord, spacing)


def test_an_axial_slice_has_the_right_of_the_patient_at_its_left_and_the_front_at_its_top() -> None:
    slices = {number: (image, labels) for number, image, labels in plane_slices(a_volume(), "axial")}
    assert sorted(slices) == list(range(2, 10))  # where the cord is labelled
    image, labels = slices[2]
    assert image.shape == (50, 40)
    assert (image[1:, 0] == RIGHT).all()
    assert (image[0] == FRONT).all()
    rows, columns = np.nonzero(labels == CORD)
    assert {int(row) for row in rows} == {50 - 1 - 20, 50 - 1 - 21}
    assert {int(column) for column in columns} == {40 - 1 - i for i in (10, 11, 12)}


def test_a_sagittal_slice_has_the_front_at_its_left_the_head_at_its_top_and_unknown_rows() -> None:
    slices = {number: (image, labels) for number, image, labels in plane_slices(a_volume(), "sagittal")}
    assert sorted(slices) == list(range(8, 15))  # 6 mm on each side of the cord are 2 slices, rounded
    image, labels = slices[11]
    assert image.shape == (12, 50)
    assert (image[0] == HEAD).all()
    assert (image[1:, 0] == FRONT).all()
    assert (labels[:2] == UNKNOWN).all()  # above the last labelled height, k 10 and 11
    assert (labels[10:] == UNKNOWN).all()
    assert set(np.unique(labels[2:10])) == {0, CORD}
    assert set(np.unique(slices[8][1][2:10])) == {0}  # beside the cord: known to be none


def test_a_small_field_is_set_into_a_usual_one_and_a_large_one_is_left_alone() -> None:
    image = np.ones((40, 20), dtype=np.float32)
    small = pad_field(image, (2.0, 1.0), 0)  # 80 mm
    assert small.shape == (round(40 * LEAST_FIELD_MM / 80), round(20 * LEAST_FIELD_MM / 80))
    assert small.sum() == image.sum()
    assert small[17, 8] == 0
    assert small[18, 9] == 1
    assert pad_field(image, (5.0, 5.0), 0) is not image
    assert np.array_equal(pad_field(image, (5.0, 5.0), 0), image)


def test_slices_are_of_the_canonical_size_with_the_area_of_the_mask_kept() -> None:
    volume = a_volume()
    items = list(cord_slices(volume, "axial", 512, stride=2))
    assert [(item.group, item.position) for item in items[:3]] == [
        ("cord_axial/made_up/0", 1),
        ("cord_axial/made_up/1", 1),
        ("cord_axial/made_up/0", 2),
    ]
    for item in items:
        assert max(item.image.shape) == 384
        pixel_mm = 200.0 / 384  # 50 rows of 4 mm
        assert (item.labels == CORD).sum() * pixel_mm**2 == pytest.approx(3 * 2 * 16.0, rel=0.05)
        assert item.known == tuple(name == "spinal_cord" for name in CLASSES)
        assert not item.has_points


def test_a_volume_stored_the_other_way_round_is_turned(tmp_path: Path) -> None:
    folder = tmp_path / "nifti" / "sct_testing"
    folder.mkdir(parents=True)
    volume = a_volume()
    for name in VOLUMES:
        for ending, array in (("", volume.image), ("_seg-manual", volume.cord.astype(np.uint8))):
            turned: NDArray[np.generic] = array[::-1, ::-1].transpose(2, 0, 1)  # head, left, back
            affine = np.zeros((4, 4))
            affine[2, 0], affine[0, 1], affine[1, 2], affine[3, 3] = 5.0, -4.0, -4.0, 1.0
            nib.save(nib.nifti1.Nifti1Image(turned, affine), folder / f"{name}{ending}.nii.gz")  # type: ignore[no-untyped-call]
    for read in sct_volumes(tmp_path):
        assert np.array_equal(read.image, volume.image)
        assert np.array_equal(read.cord, volume.cord)
        assert read.spacing_mm == pytest.approx(volume.spacing_mm)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"t1_t1w.nii.gz: expected in sct_testing, found nothing"):
        sct_volumes(tmp_path)
    with pytest.raises(StudyError, match=r"gm_challenge: expected \*_T2starw.nii.gz"):
        challenge_volumes(tmp_path)


def test_both_sessions_of_a_volunteer_share_a_fold_and_no_number_is_one_of_spiders() -> None:
    folds = cord_folds()
    assert set(folds) == {*VOLUNTEERS.values(), *VOLUMES.values()}
    assert not set(folds) & set(spider_folds())
    assert set(folds.values()) == set(range(FOLD_COUNT))
    assert len({folds[number] for number in VOLUMES.values()}) == 1


def test_the_real_masks_are_cords(data_dir: Path) -> None:
    volumes = [*sct_volumes(data_dir), *challenge_volumes(data_dir)]
    assert len(volumes) == 2 + 8
    assert len({volume.patient for volume in volumes}) == 2 + 6
    for volume in volumes:
        heights = volume.cord.any(axis=(0, 1)).sum()
        area_mm2 = volume.cord.sum() / heights * volume.spacing_mm[0] * volume.spacing_mm[1]
        assert 70 < area_mm2 < 96  # the whole cord: Kato 2012, 78 mm2 at mid-C5; grey matter is a small part of it


def test_real_slices_have_a_cord_in_the_middle_of_the_body_and_neighbours(data_dir: Path) -> None:
    slices = load_cord_slices(data_dir, 256)
    assert {item.kind for item in slices} == {"cord", "cord_axial"}
    places = {(item.group, item.position) for item in slices}
    assert len(places) == len(slices)
    assert sum((item.group, item.position + 1) in places for item in slices) > 0.8 * len(slices)
    for item in slices:
        if item.kind == "cord_axial":
            x = np.nonzero(item.labels == CORD)[1]
            assert len(x) > 20
            assert 0.35 < x.mean() / item.labels.shape[1] < 0.65
