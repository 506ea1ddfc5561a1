"""Shared patients and near-duplicate images between splits."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from evaluation.honesty import SplitRow, check_splits, find_images, read_splits
from evaluation.honesty.images import ALIKE, difference_hash, near_pairs, read_slice
from runtime.errors import StudyError


def drawn_image(seed: int, size: int = 96) -> NDArray[np.float32]:
    """Return a smooth random image, 0 to 255."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture, dtype=np.float32)


def save(file: Path, grey: NDArray[np.float32]) -> Path:
    Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(file)
    return file


def test_a_shared_patient_is_a_failure_that_names_ids() -> None:
    rows = [SplitRow("a1", "anna", "train"), SplitRow("a2", "anna", "test"), SplitRow("b", "ben", "test")]
    leakage = check_splits(rows)
    assert leakage.patients == ("anna",)
    assert leakage.failures == (
        "leakage: 1 patients stand in more than one part (patient 'anna': 'a2' in test, 'a1' in train)",
    )
    assert leakage.notices == ("near-duplicate images were not looked for: no images were given",)


def test_one_id_under_two_patients_is_a_failure() -> None:
    leakage = check_splits([SplitRow("a", "one", "train"), SplitRow("a", "two", "test")])
    assert leakage.patients == ("two",)


def test_clean_splits_pass() -> None:
    assert check_splits([SplitRow("a", "x", "train"), SplitRow("b", "y", "test")], images={}).failures == ()


def test_altered_copies_are_found_between_splits(tmp_path: Path) -> None:
    image = drawn_image(1)
    noisy = image + np.random.default_rng(0).normal(0, 5, image.shape)
    copies = {"train": image, "darker": 0.5 * image + 30, "noisy": noisy, "other": drawn_image(2)}
    small = np.asarray(Image.fromarray(image.astype(np.uint8)).resize((60, 60)), dtype=np.float32)
    for name, grey in {**copies, "small": small}.items():
        save(tmp_path / f"{name}.png", grey.astype(np.float32))
    rows = [SplitRow("train", "p", "train")]
    rows += [SplitRow(name, name, "test") for name in ("darker", "noisy", "small", "other")]
    leakage = check_splits(rows, images=find_images(tmp_path, [row.id for row in rows]))
    assert leakage.images == 5
    between = {pair.second.id for pair in leakage.duplicates if pair.first.id == "train"}
    assert between == {"darker", "noisy", "small"}
    assert leakage.failures[0].startswith(
        "leakage: 3 pairs of near-duplicate images in two parts ('train' (train)"
    )
    assert "near-duplicate images of two patients in one part" in leakage.notices[0]


def test_two_images_of_one_patient_in_one_part_are_no_matter(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / f"{name}.png", drawn_image(1))
    rows = [SplitRow("a", "p", "train"), SplitRow("b", "p", "train")]
    leakage = check_splits(rows, images=find_images(tmp_path, "ab"))
    assert (leakage.duplicates, leakage.failures, leakage.notices) == ((), (), ())


def test_ids_without_an_image_are_counted(tmp_path: Path) -> None:
    save(tmp_path / "a.png", drawn_image(1))
    rows = [SplitRow("a", "p", "train"), SplitRow("b", "q", "test")]
    assert check_splits(rows, images=find_images(tmp_path, "ab")).notices == ("no image for 1 ids",)


def test_the_middle_slice_of_a_volume_is_read(tmp_path: Path) -> None:
    volume = np.stack([drawn_image(1), drawn_image(2), drawn_image(3)])
    image = nib.Nifti1Image(volume, np.diag([4.0, 0.8, 0.8, 1.0]))  # type: ignore[no-untyped-call]
    nib.save(image, tmp_path / "v.nii.gz")
    assert np.allclose(read_slice(tmp_path / "v.nii.gz"), drawn_image(2))
    assert find_images(tmp_path, ["v"]) == {"v": tmp_path / "v.nii.gz"}
    save(tmp_path / "v.png", drawn_image(2))
    with pytest.raises(StudyError, match="one image for id 'v', got two"):
        find_images(tmp_path, ["v"])


def test_a_hash_by_hand() -> None:
    slope = np.tile(np.arange(64, dtype=np.float32), (64, 1))
    bits = difference_hash(slope)
    assert bits[:256].all()
    assert not bits[256:].any()
    assert list(near_pairs([bits, bits, ~bits])) == [(0, 1, 0.0)]
    assert list(near_pairs([])) == []


def test_the_threshold_lies_between_copies_and_strangers() -> None:
    hashes = [difference_hash(drawn_image(seed)) for seed in range(20)]
    assert list(near_pairs(hashes, most=ALIKE)) == []


@pytest.mark.parametrize(
    ("grey", "words"), [(np.zeros((8, 8)), "at least 16 x 16"), (np.ones((32, 32)), "one only")]
)
def test_images_without_content_are_refused(grey: NDArray[np.float32], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        difference_hash(grey.astype(np.float32))


def test_a_file_that_is_no_image_is_named_by_id(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture", encoding="utf-8")
    with pytest.raises(StudyError, match=r"id 'a': a\.png: expected a picture"):
        check_splits([SplitRow("a", "p", "train")], images=find_images(tmp_path, "a"))
    with pytest.raises(StudyError, match="expected a folder of images"):
        find_images(tmp_path / "none", "a")


def test_a_table_of_splits(tmp_path: Path) -> None:
    file = tmp_path / "splits.csv"
    file.write_text("id,patient,split,site\na,p,train,x\nb,q,test,x\n", encoding="utf-8")
    assert read_splits(file) == (SplitRow("a", "p", "train"), SplitRow("b", "q", "test"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,split\na,train\n", "expected columns id,patient,split"),
        ("id,patient,split\na,,train\n", "line 2: expected an id, a patient and a split"),
        ("id,patient,split\n", "at least one row"),
    ],
)
def test_a_bad_table_of_splits_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "splits.csv").write_text(text, encoding="utf-8")
    with pytest.raises(StudyError, match=words):
        read_splits(tmp_path / "splits.csv")
    with pytest.raises(StudyError, match="found none"):
        read_splits(tmp_path / "other.csv")


@pytest.mark.data
def test_no_two_patients_of_spider_look_alike(data_dir: Path) -> None:
    files = sorted((data_dir / "spider/midsagittal").glob("*_t2.png"))[:60]
    rows = [SplitRow(file.stem, file.stem, file.stem) for file in files]
    assert check_splits(rows, images=find_images(files[0].parent, [row.id for row in rows])).duplicates == ()
