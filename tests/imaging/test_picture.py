import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from imaging import limits, load_study
from imaging.types import Plane, Sequence, SourceKind, Spacing, Study
from runtime.errors import LimitError, StudyError

GREY = (np.add.outer(np.arange(120) * 2, np.arange(100)) % 256).astype(np.uint8)


def read(tmp_path: Path, image: Image.Image, name: str = "slice.png", **options: object) -> Study:
    file = tmp_path / name
    image.save(file, **options)  # type: ignore[arg-type]
    return load_study(file)


def pixels(study: Study) -> NDArray[np.float32]:
    return study.series[0].volume.slice_image(0)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK"])
def test_grey_is_read_however_it_is_stored(tmp_path: Path, mode: str) -> None:
    name = "slice.tif" if mode == "CMYK" else "slice.png"
    study = read(tmp_path, Image.fromarray(GREY).convert(mode), name)
    np.testing.assert_allclose(pixels(study), GREY, atol=0.01)
    assert study.source is SourceKind.PICTURE
    assert study.series[0].plane is Plane.SAGITTAL
    assert study.series[0].volume.shape == (100, 120, 1)
    assert study.series[0].volume.affine is None
    assert study.series[0].volume.spacing is None


def test_grey_survives_a_coloured_jpeg(tmp_path: Path) -> None:
    anatomy = Image.fromarray(GREY).convert("RGB")
    study = read(tmp_path, anatomy, "slice.jpg", quality=60)
    assert np.abs(pixels(study) - GREY).mean() < 6


def test_transparent_pixels_are_black(tmp_path: Path) -> None:
    picture = np.dstack([GREY, GREY, GREY, np.full_like(GREY, 255)])
    picture[:10, :, 3] = 0
    shown = pixels(read(tmp_path, Image.fromarray(picture)))
    assert not shown[:10].any()
    np.testing.assert_array_equal(shown[10:], GREY[10:])


@pytest.mark.parametrize("name", ["slice.png", "slice.tif"])
def test_sixteen_bits_are_kept(tmp_path: Path, name: str) -> None:
    deep = GREY.astype(np.uint16) * 200 + 3
    np.testing.assert_array_equal(pixels(read(tmp_path, Image.fromarray(deep), name)), deep)


def test_white_is_zero_is_inverted(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 200
    study = read(tmp_path, Image.fromarray(deep), "slice.tif", tiffinfo={262: 0})
    np.testing.assert_array_equal(pixels(study), 65535 - deep.astype(np.float32))


def test_real_numbers_are_kept_and_nan_refused(tmp_path: Path) -> None:
    real = GREY.astype(np.float32) / 3
    np.testing.assert_array_equal(pixels(read(tmp_path, Image.fromarray(real), "a.tif")), real)
    real[3, 3] = np.nan
    with pytest.raises(StudyError, match="finite pixel values"):
        read(tmp_path, Image.fromarray(real), "b.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_followed(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(GREY)
    study = read(tmp_path, picture, exif=exif)
    with Image.open(tmp_path / "slice.png") as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored))
    np.testing.assert_array_equal(pixels(study), upright)
    assert study.series[0].volume.source_shape == (100, 120, 1)


def test_spacing_is_taken_from_the_user_and_never_from_dots_per_inch(tmp_path: Path) -> None:
    file = tmp_path / "slice.png"
    Image.fromarray(GREY).save(file, dpi=(300, 300))
    assert load_study(file).series[0].volume.spacing is None
    study = load_study(file, spacing=Spacing(0.7, 0.5))
    assert study.series[0].volume.spacing == Spacing(0.7, 0.5)
    assert "spacing: as given by the user" in study.series[0].reasons


@pytest.mark.parametrize(
    ("name", "sequence", "role"),
    [
        ("4_t2.png", Sequence.T2, "sagittal_t2"),
        ("4_T1.png", Sequence.T1, "sagittal_t1"),
        ("110_t2_SPACE.png", Sequence.T2, "sagittal_t2"),
        ("sub-01_acq-sag_T1w.png", Sequence.T1, "sagittal_t1"),
        ("x-stir.png", Sequence.STIR, "sagittal_stir"),
        ("scan.png", Sequence.UNKNOWN, "sagittal_t2"),
        ("t1_or_t2.png", Sequence.UNKNOWN, "sagittal_t2"),
        ("pd_at12.png", Sequence.UNKNOWN, "sagittal_t2"),
    ],
)
def test_the_name_hints_at_the_sequence_and_an_assumption_is_told(
    tmp_path: Path, name: str, sequence: Sequence, role: str
) -> None:
    study = read(tmp_path, Image.fromarray(GREY), name)
    series = study.series[0]
    assert (series.sequence, series.role) == (sequence, role)
    is_assumed = sequence is Sequence.UNKNOWN
    assert any("assum" in notice for notice in study.notices) == is_assumed
    assert any("assumed, the sequence is not known" in reason for reason in series.reasons) == is_assumed
    told = "word in the file name" if "sag" in name else "assumed"
    assert any(f"plane sagittal: {told}" in reason for reason in series.reasons)


def test_a_sacroiliac_picture_is_taken_as_coronal(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "stir.png")
    series = load_study(tmp_path / "stir.png", protocol="sacroiliac").series[0]
    assert (series.plane, series.role) == (Plane.CORONAL, "coronal_stir")


def test_coloured_pictures_are_refused(tmp_path: Path) -> None:
    coloured = np.dstack([GREY, GREY[::-1], 255 - GREY])
    with pytest.raises(StudyError, match=r"slice\.png: expected a grey MR slice, found a coloured picture"):
        read(tmp_path, Image.fromarray(coloured))


def test_a_small_coloured_overlay_and_an_even_tint_are_refused(tmp_path: Path) -> None:
    overlay = np.dstack([GREY] * 3)
    overlay[50:60, 40:50] = (255, 0, 0)
    with pytest.raises(StudyError, match="coloured"):
        read(tmp_path, Image.fromarray(overlay))
    tinted = np.clip(np.dstack([GREY] * 3) + np.array([20, 5, 0]), 0, 255).astype(np.uint8)
    with pytest.raises(StudyError, match="coloured"):
        read(tmp_path, Image.fromarray(tinted))


def test_coloured_palette_is_refused(tmp_path: Path) -> None:
    palette = Image.fromarray(GREY).convert("P")
    palette.putpalette([value for n in range(256) for value in (n, 255 - n, 30)])
    with pytest.raises(StudyError, match="coloured"):
        read(tmp_path, palette)


def test_two_level_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="only black and white"):
        read(tmp_path, Image.fromarray(GREY > 100))


def test_several_pages_are_refused(tmp_path: Path) -> None:
    page = Image.fromarray(GREY)
    with pytest.raises(StudyError, match="found 3 pages"):
        read(tmp_path, page, "pages.tif", save_all=True, append_images=[page, page])


def test_too_many_pixels_are_refused_before_they_are_decoded(
    tmp_path: Path,
) -> None:
    with (
        limits.applied(limits.Limits(picture_pixels=5000)),
        pytest.raises(LimitError, match="expected at most 5000 pixels, found 100 x 120") as caught,
    ):
        read(tmp_path, Image.fromarray(GREY))
    assert caught.value.code == "limit_picture_pixels"


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bomb.png"
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "PNG")
    raw = bytearray(buffer.getvalue())
    raw[16:24] = (60000).to_bytes(4, "big") * 2  # width and height of the header chunk
    import zlib

    raw[29:33] = zlib.crc32(bytes(raw[12:29])).to_bytes(4, "big")
    file.write_bytes(raw)
    with pytest.raises(StudyError, match=r"bomb\.png"):
        load_study(file)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_cut_short_pictures_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (200, 200), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, {"jpg": "JPEG", "tif": "TIFF", "png": "PNG"}[suffix])
    raw = buffer.getvalue()
    file = tmp_path / f"cut.{suffix}"
    file.write_bytes(raw[: max(10, int(len(raw) * share))])
    with pytest.raises(StudyError, match=rf"cut\.{suffix}"):
        load_study(file)


def test_damaged_png_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "PNG")
    raw = bytearray(buffer.getvalue())
    raw[60:64] = b"\xff\x00\xff\x00"
    file = tmp_path / "damaged.png"
    file.write_bytes(raw)
    with pytest.raises(StudyError, match="damaged"):
        load_study(file)


def test_the_key_is_of_the_pixels_alone(tmp_path: Path) -> None:
    first = read(tmp_path, Image.fromarray(GREY), "a_t2.png")
    second = read(tmp_path, Image.fromarray(GREY).convert("RGB"), "b.png")
    third = read(tmp_path, Image.fromarray(GREY[::-1]), "c.png")
    assert first.key == second.key != third.key
    assert len(first.key) == 16
