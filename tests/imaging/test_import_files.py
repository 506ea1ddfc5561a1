"""Label files: NIfTI and MetaImage against independent readers, and what is refused."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray

from imaging.label_file import read_label_file
from imaging.limits import Limits, applied
from runtime.errors import LimitError, StudyError
from tests.imaging.label_factories import SAGITTAL_AFFINE, drawn_spine, write_nifti

drawn = drawn_spine()
OBLIQUE = np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, -1.0]])


def metaimage(path: Path, array: NDArray[np.generic], *, is_packed: bool) -> SimpleITK.Image:
    """Write (I, J, K) labels with SimpleITK, oblique and mirrored."""
    image = SimpleITK.GetImageFromArray(array.transpose(2, 1, 0))
    image.SetSpacing((0.7, 0.6, 3.3))
    image.SetOrigin((-12.5, 33.0, 210.0))
    image.SetDirection(OBLIQUE.ravel().tolist())
    SimpleITK.WriteImage(image, str(path), is_packed)
    return image


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_metaimage_reads_as_simpleitk_reads_it(tmp_path: Path, dtype: type, is_packed: bool) -> None:
    image = metaimage(tmp_path / "a.mha", drawn.astype(dtype), is_packed=is_packed)
    volume = read_label_file(tmp_path / "a.mha")
    np.testing.assert_array_equal(volume.array, drawn)
    for index in ((0, 0, 0), (7, 11, 3), (39, 20, 4)):
        x, y, z = image.TransformIndexToPhysicalPoint(index)
        ours = volume.affine @ np.array([*index, 1.0])
        np.testing.assert_allclose(ours[:3], (-x, -y, z), atol=1e-4)  # LPS to RAS
    assert volume.voxel_mm3 == pytest.approx(0.7 * 0.6 * 3.3)


def test_a_nifti_reads_as_nibabel_reads_it(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii.gz", drawn.astype(np.int16))
    volume = read_label_file(path)
    np.testing.assert_array_equal(volume.array, drawn)
    np.testing.assert_allclose(volume.affine, nib.load(path).affine)
    assert volume.counts == {int(n): int((drawn == n).sum()) for n in np.unique(drawn) if n}
    assert len(volume.sha256) == 64


def test_whole_numbers_kept_as_floats_are_labels(tmp_path: Path) -> None:
    scaled = write_nifti(tmp_path / "scaled.nii", drawn.astype(np.int16), slope=2.0)
    np.testing.assert_array_equal(read_label_file(scaled).array, 2 * drawn.astype(int))
    floats = write_nifti(tmp_path / "float.nii", drawn.astype(np.float64))
    np.testing.assert_array_equal(read_label_file(floats).array, drawn)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (drawn / 3.0, "expected whole numbers, found .* probability map, or labels were resampled"),
        (np.where(drawn == 100, np.nan, drawn), "found NaN or infinity"),
        (-drawn.astype(np.int16), "expected labels from 0 to 65535, found -"),
        (drawn.astype(np.int32) * 1000, "expected labels from 0 to 65535, found 0 to 207000"),
        (np.zeros_like(drawn), "found only 0"),
        (np.stack([drawn, drawn], axis=3), "expected a volume of 2 or 3 dimensions"),
    ],
    ids=["probabilities", "nan", "negative", "large", "empty", "4d"],
)
def test_what_is_no_label_map_is_refused(tmp_path: Path, array: NDArray[np.generic], words: str) -> None:
    path = write_nifti(tmp_path / "a.nii.gz", array if array.dtype != np.int64 else array.astype(np.int32))
    with pytest.raises(StudyError, match=words):
        read_label_file(path)


def test_a_file_without_orientation_is_refused(tmp_path: Path) -> None:
    image = nib.Nifti1Image(drawn, SAGITTAL_AFFINE)
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    image.to_filename(tmp_path / "a.nii")
    with pytest.raises(StudyError, match="left and right cannot be told"):
        read_label_file(tmp_path / "a.nii")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("labels")
    with pytest.raises(StudyError, match=r"a\.txt: expected a label map in NIfTI .*, MetaImage .* or DICOM SEG"):
        read_label_file(tmp_path / "a.txt")
    with pytest.raises(StudyError, match="found none"):
        read_label_file(tmp_path / "missing.nii")
    with pytest.raises(StudyError, match="found none"):
        read_label_file(tmp_path)


HEADER = (
    "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nOffset = 0 0 0\n"
    "TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementSpacing = 1 1 1\n"
)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER + "ElementDataFile = /etc/passwd\n", "found them kept in another one"),
        (HEADER, "ends with ElementDataFile, found none"),
        ("ObjectType = Image\nnonsense\n", "found another; it is damaged"),
        (HEADER.replace("2 2 2", "2 2") + "ElementDataFile = LOCAL\n", "3 dimensions, found DimSize '2 2'"),
        (HEADER.replace("2 2 2", "2 2 x") + "ElementDataFile = LOCAL\n", "expected numbers under DimSize"),
        (HEADER.replace("UCHAR", "CUBE") + "ElementDataFile = LOCAL\n", "found ElementType 'MET_CUBE'"),
        (HEADER.replace("Offset", "Of") + "ElementDataFile = LOCAL\n", "left and right cannot be told"),
        (HEADER.replace("0 0 0 1\n", "0 0 0 0\n") + "ElementDataFile = LOCAL\n", "found a singular one"),
        (HEADER + "ElementNumberOfChannels = 3\nElementDataFile = LOCAL\n", "one value a voxel, found 3"),
        (
            HEADER + "ElementDataFile = LOCAL\n\x01\x02",
            "expected 8 bytes of voxels, found 2: the file is cut short",
        ),
        (HEADER + "CompressedData = True\nElementDataFile = LOCAL\nzzzzzzzz", "cannot be unpacked"),
    ],
)
def test_damaged_metaimages_are_refused(tmp_path: Path, header: str, words: str) -> None:
    (tmp_path / "a.mha").write_bytes(header.encode("latin-1"))
    with pytest.raises(StudyError, match=words):
        read_label_file(tmp_path / "a.mha")


def test_a_header_that_announces_too_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    header = HEADER.replace("2 2 2", "9000 9000 9000") + "CompressedData = True\nElementDataFile = LOCAL\n"
    (tmp_path / "a.mha").write_bytes(header.encode())
    with pytest.raises(LimitError, match="voxels"):
        read_label_file(tmp_path / "a.mha")
    with applied(Limits(file_bytes=10)), pytest.raises(LimitError):
        read_label_file(write_nifti(tmp_path / "b.nii", drawn))
