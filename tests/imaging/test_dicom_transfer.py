"""Every transfer syntax: pixels come back bit for bit where the compression is lossless.

The compressed files are made here, where there are two libraries by another than the one that reads them (dcmtk
and GDCM write what pylibjpeg and pyjpegls read). There is no encoder of HTJ2K: its decoder is only looked for.
"""

import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import FileDataset
from pydicom.pixels.decoders.base import Decoder, get_decoder

from imaging import load_study
from imaging.dicom import decoders
from runtime.errors import StudyError
from tests.imaging.conftest import SeriesWriter

Volume = NDArray[np.uint16]
T2: dict[str, Any] = {"EchoTime": 100.0, "RepetitionTime": 3500.0}

needs_dcmtk = pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmtk is not installed")


def with_gdcm(kind: str) -> Callable[[Path], None]:
    def compress(file: Path) -> None:
        reader = gdcm.ImageReader()
        reader.SetFileName(str(file))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, kind)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(file))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()

    return compress


def with_dcmtk(*command: str) -> Callable[[Path], None]:
    def compress(file: Path) -> None:
        target = file.with_suffix(".new")
        subprocess.run([*command, str(file), str(target)], check=True, capture_output=True)
        target.replace(file)

    return compress


def with_pydicom(syntax: uid.UID, **options: Any) -> Callable[[Path], None]:
    def compress(file: Path) -> None:
        dataset = pydicom.dcmread(file)
        dataset.compress(syntax, generate_instance_uid=False, **options)
        dataset.save_as(file)

    return compress


def rewritten(syntax: uid.UID) -> Callable[[Path], None]:
    """Write the same data set in another uncompressed syntax."""

    def rewrite(file: Path) -> None:
        dataset = pydicom.dcmread(file)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(file, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)

    return rewrite


LOSSLESS = {
    "implicit": (rewritten(uid.ImplicitVRLittleEndian), uid.ImplicitVRLittleEndian),
    "deflated": (rewritten(uid.DeflatedExplicitVRLittleEndian), uid.DeflatedExplicitVRLittleEndian),
    "rle by pydicom": (with_pydicom(uid.RLELossless), uid.RLELossless),
    "jpeg-ls by pyjpegls": (with_pydicom(uid.JPEGLSLossless), uid.JPEGLSLossless),
    "jpeg 2000 by openjpeg": (with_pydicom(uid.JPEG2000Lossless), uid.JPEG2000Lossless),
    "jpeg lossless by gdcm": (with_gdcm("JPEGLosslessProcess14_1"), uid.JPEGLosslessSV1),
    "jpeg-ls by gdcm": (with_gdcm("JPEGLSLossless"), uid.JPEGLSLossless),
    "jpeg 2000 by gdcm": (with_gdcm("JPEG2000Lossless"), uid.JPEG2000Lossless),
    "rle by gdcm": (with_gdcm("RLELossless"), uid.RLELossless),
}
DCMTK = {
    "big endian": (with_dcmtk("dcmconv", "+tb"), uid.ExplicitVRBigEndian),
    "jpeg lossless sv1": (with_dcmtk("dcmcjpeg", "+e1"), uid.JPEGLosslessSV1),
    "jpeg lossless": (with_dcmtk("dcmcjpeg", "+el", "+sv", "4"), uid.JPEGLossless),
    "jpeg-ls": (with_dcmtk("dcmcjpls", "+el"), uid.JPEGLSLossless),
    "rle": (with_dcmtk("dcmcrle"), uid.RLELossless),
}


def syntax_of(file: Path) -> str:
    return str(pydicom.dcmread(file, stop_before_pixels=True).file_meta.TransferSyntaxUID)


def check_exact(
    writer: SeriesWriter, volume: Volume, compress: Callable[[Path], None], syntax: str, **header: Any
) -> None:
    for file in writer.write(volume, **(T2 | header)):
        compress(file)
        assert syntax_of(file) == syntax
    array = load_study(writer.folder).series[0].volume.array
    np.testing.assert_array_equal(array, volume.transpose(2, 1, 0))


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_pixels_come_back_bit_for_bit(
    series_writer: SeriesWriter, smooth_volume: Volume, kind: str
) -> None:
    check_exact(series_writer, smooth_volume, *LOSSLESS[kind])


@needs_dcmtk
@pytest.mark.parametrize("kind", DCMTK)
def test_lossless_pixels_of_dcmtk_come_back_bit_for_bit(
    series_writer: SeriesWriter, smooth_volume: Volume, kind: str
) -> None:
    check_exact(series_writer, smooth_volume, *DCMTK[kind])


@pytest.mark.parametrize("kind", LOSSLESS)
def test_signed_pixels_come_back_bit_for_bit(
    series_writer: SeriesWriter, smooth_volume: Volume, kind: str
) -> None:
    signed = smooth_volume.astype(np.int16) - 1500
    header = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15}
    compress, _ = LOSSLESS[kind]
    for file in series_writer.write(signed.view(np.uint16), **T2, **header):
        compress(file)
    array = load_study(series_writer.folder).series[0].volume.array
    np.testing.assert_array_equal(array, signed.transpose(2, 1, 0))


@pytest.mark.parametrize("kind", LOSSLESS)
def test_single_bytes_come_back_bit_for_bit(series_writer: SeriesWriter, smooth_volume: Volume, kind: str) -> None:
    small = (smooth_volume % 251).astype(np.uint8)[:, :, :99]  # an odd row

    def bytes_of(dataset: FileDataset, k: int) -> None:
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
        dataset.PixelData = small[k].tobytes()
        dataset["PixelData"].VR = "OB"

    compress, _ = LOSSLESS[kind]
    for file in series_writer.write(small, change=bytes_of, **T2):
        compress(file)
    np.testing.assert_array_equal(
        load_study(series_writer.folder).series[0].volume.array, small.transpose(2, 1, 0)
    )


def test_near_lossless_jpeg_ls_stays_within_its_bound(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    for file in series_writer.write(smooth_volume, **T2):
        with_pydicom(uid.JPEGLSNearLossless, jls_error=3)(file)
    array = load_study(series_writer.folder).series[0].volume.array
    assert 0 < np.abs(array - smooth_volume.transpose(2, 1, 0)).max() <= 3


def test_lossy_jpeg_2000_agrees_with_another_decoder(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    files = series_writer.write(smooth_volume, **T2)
    for file in files:
        with_pydicom(uid.JPEG2000, j2k_psnr=[60.0])(file)
    array = load_study(series_writer.folder).series[0].volume.array
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage([str(file) for file in files]))
    assert np.abs(array.transpose(2, 1, 0) - theirs).max() <= 1
    assert np.abs(array - smooth_volume.transpose(2, 1, 0)).mean() > 0.1  # it is lossy


@needs_dcmtk
def test_single_bytes_in_big_endian_words(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    small = (smooth_volume % 251).astype(np.uint8)

    def bytes_of(dataset: FileDataset, k: int) -> None:
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
        dataset.PixelData = small[k].tobytes()

    for file in series_writer.write(small, change=bytes_of, **T2):
        with_dcmtk("dcmconv", "+tb")(file)
    np.testing.assert_array_equal(
        load_study(series_writer.folder).series[0].volume.array, small.transpose(2, 1, 0)
    )


@needs_dcmtk
@pytest.mark.parametrize(
    ("options", "syntax", "bits"), [(["+eb"], uid.JPEGBaseline8Bit, 8), (["+ee"], uid.JPEGExtended12Bit, 12)]
)
def test_lossy_jpeg_agrees_with_dcmtks_own_decoder(
    series_writer: SeriesWriter, smooth_volume: Volume, tmp_path: Path, options: list[str], syntax: str, bits: int
) -> None:
    stored = smooth_volume if bits == 12 else (smooth_volume % 251).astype(np.uint8)

    def bytes_of(dataset: FileDataset, k: int) -> None:
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = (16, 12, 11) if bits == 12 else (8, 8, 7)
        dataset.PixelData = stored[k].tobytes()

    files = series_writer.write(stored, change=bytes_of, **T2)
    for file in files:
        with_dcmtk("dcmcjpeg", *options, "+q", "95")(file)
        assert syntax_of(file) == syntax
    volume = load_study(series_writer.folder).series[0].volume
    for k, file in enumerate(files):
        plain = tmp_path / f"{k}.dcm"
        subprocess.run(["dcmdjpeg", str(file), str(plain)], check=True, capture_output=True)
        theirs = pydicom.dcmread(plain).pixel_array
        assert np.abs(volume.slice_image(k) - theirs).max() <= 1  # decoders may round differently


def test_bits_above_the_stored_ones_are_overlays_and_are_dropped(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    overlay = (np.indices(smooth_volume.shape).sum(axis=0) % 2 << 12).astype(np.uint16)
    files = series_writer.write(smooth_volume | overlay, **T2)
    array = load_study(series_writer.folder).series[0].volume.array
    np.testing.assert_array_equal(array, smooth_volume.transpose(2, 1, 0))
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage([str(file) for file in files]))
    np.testing.assert_array_equal(array.transpose(2, 1, 0), theirs)


def test_bits_below_the_stored_ones_are_shifted_out(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    series_writer.write(smooth_volume << 4 | 5, BitsStored=12, HighBit=15, **T2)
    array = load_study(series_writer.folder).series[0].volume.array
    np.testing.assert_array_equal(array, smooth_volume.transpose(2, 1, 0))


def test_signed_pixels_of_twelve_bits_spread_their_sign(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    signed = smooth_volume.astype(np.int16) % 4096 - 2048
    series_writer.write((signed & 0x0FFF).astype(np.uint16), PixelRepresentation=1, **T2)
    array = load_study(series_writer.folder).series[0].volume.array
    np.testing.assert_array_equal(array, signed.transpose(2, 1, 0))


def test_padding_takes_the_darkest_measured_value(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    signed = smooth_volume.astype(np.int16) + 20
    signed[:, :10] = -32768
    header = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15, "PixelPaddingValue": -32768}

    def padding(dataset: FileDataset, _: int) -> None:
        dataset.add_new("PixelPaddingValue", "SS", -32768)

    header.pop("PixelPaddingValue")
    series_writer.write(signed.view(np.uint16), number=1, change=padding, RescaleSlope=2.0, **T2, **header)
    expected = np.where(signed == -32768, signed[:, 10:].min(), signed).transpose(2, 1, 0) * 2.0
    np.testing.assert_array_equal(load_study(series_writer.folder).series[0].volume.array, expected)


def test_padding_does_not_decide_how_monochrome1_is_turned(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    volume = smooth_volume + 100
    volume[:, :10] = 65535
    header = {"BitsStored": 16, "HighBit": 15, "PhotometricInterpretation": "MONOCHROME1"}

    def padding(dataset: FileDataset, _: int) -> None:
        dataset.add_new("PixelPaddingValue", "US", 65000)
        dataset.add_new("PixelPaddingRangeLimit", "US", 65535)

    series_writer.write(volume, change=padding, **T2, **header)
    measured = volume[:, 10:]
    low, high = int(measured.min()), int(measured.max())
    expected = np.where(volume == 65535, low, low + high - volume.astype(int)).transpose(2, 1, 0)
    np.testing.assert_array_equal(load_study(series_writer.folder).series[0].volume.array, expected)


def test_slope_and_intercept_of_each_slice_count_and_vendor_scalings_do_not(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    def scale(dataset: FileDataset, k: int) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = 1.0 + k, -3.0 * k
        block = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        block.add_new(0x0E, "FL", 0.0042)  # Philips' scale slope
        mapping = pydicom.Dataset()
        mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 7.0, 1.0
        dataset.RealWorldValueMappingSequence = [mapping]

    series_writer.write(smooth_volume, change=scale, **T2)
    k = np.arange(5)[:, np.newaxis, np.newaxis]
    expected = (smooth_volume * (1.0 + k) - 3.0 * k).transpose(2, 1, 0)
    np.testing.assert_allclose(load_study(series_writer.folder).series[0].volume.array, expected)


def test_the_window_is_kept_for_display_and_does_not_touch_pixels(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    series_writer.write(smooth_volume, WindowCenter=[800, 300], WindowWidth=[1600, 50], **T2)
    series = load_study(series_writer.folder).series[0]
    assert (series.header["window_centre"], series.header["window_width"]) == (800.0, 1600.0)
    np.testing.assert_array_equal(series.volume.array, smooth_volume.transpose(2, 1, 0))


def test_a_window_that_is_none_is_not_told(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    series_writer.write(smooth_volume, WindowCenter=800, WindowWidth=0, **T2)
    assert "window_centre" not in load_study(series_writer.folder).series[0].header


# Decoders


def test_a_missing_decoder_names_the_package(
    series_writer: SeriesWriter, smooth_volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = series_writer.write(smooth_volume[:1], **T2)[0]
    with_gdcm("JPEGLosslessProcess14_1")(file)
    monkeypatch.setattr(Decoder, "available_plugins", property(lambda self: ("pillow",)))
    with pytest.raises(
        StudyError, match=r"no decoder for that is installed; install python-gdcm, or send it again"
    ):
        load_study(file)


def test_a_second_library_reads_what_the_first_does_not(
    series_writer: SeriesWriter, smooth_volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in series_writer.write(smooth_volume, **T2):
        with_pydicom(uid.RLELossless)(file)
    real = decoders.iter_pixels
    asked: list[str] = []

    def fails_at_first(*args: Any, decoding_plugin: str, **options: Any) -> Any:
        asked.append(decoding_plugin)
        if decoding_plugin == "pylibjpeg":
            raise RuntimeError("no")
        return real(*args, decoding_plugin=decoding_plugin, **options)

    monkeypatch.setattr(decoders, "iter_pixels", fails_at_first)
    array = load_study(series_writer.folder).series[0].volume.array
    np.testing.assert_array_equal(array, smooth_volume.transpose(2, 1, 0))
    assert asked == ["pylibjpeg", "pydicom"] * 5


def test_every_known_compression_has_a_decoder_here_and_none_is_gpl() -> None:
    for syntax, plugins in decoders._PLUGINS.items():
        decoder = get_decoder(uid.UID(syntax))
        assert set(plugins) & set(decoder.available_plugins), syntax
    jpeg = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1}
    assert all(
        "pylibjpeg" not in decoders._PLUGINS[syntax] for syntax in jpeg
    )  # there it would be pylibjpeg-libjpeg


@pytest.mark.parametrize("damage", ["cut", "noise"])
@pytest.mark.parametrize(
    "kind", ["rle by pydicom", "jpeg-ls by pyjpegls", "jpeg 2000 by openjpeg", "jpeg lossless by gdcm"]
)
def test_damaged_code_streams_end_in_a_clear_error(
    series_writer: SeriesWriter, smooth_volume: Volume, kind: str, damage: str
) -> None:
    file = series_writer.write(smooth_volume[:1], **T2)[0]
    LOSSLESS[kind][0](file)
    raw = bytearray(file.read_bytes())
    start = raw.index(b"\xfe\xff\x00\xe0", raw.index(b"\xe0\x7f\x10\x00") + 12 + 8)
    if damage == "cut":
        file.write_bytes(raw[: start + 200])
    else:
        raw[start + 8 : start + 200] = np.random.default_rng(1).bytes(192)
        file.write_bytes(raw)
    with pytest.raises(StudyError, match=f"{file.name}.*(decoded|cut short)"):
        load_study(file)


def test_a_deflated_file_cut_short_says_so(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    file = series_writer.write(smooth_volume[:1], **T2)[0]
    rewritten(uid.DeflatedExplicitVRLittleEndian)(file)
    file.write_bytes(file.read_bytes()[:-300])
    with pytest.raises((StudyError, zlib.error), match=r"damaged|cut short"):
        load_study(file)


_BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
_SMALL = [
    "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm",
]  # fmt: skip


@pytest.mark.parametrize("name", _SMALL)
def test_one_scanner_image_in_eight_encodings(name: str) -> None:
    """pydicom ships one MR slice of a scanner, encoded by others; all must be the same image."""
    volume = load_study(_BUNDLED / name, protocol="lumbar").series[0].volume
    first = pydicom.dcmread(_BUNDLED / "MR_small.dcm").pixel_array
    np.testing.assert_array_equal(volume.slice_image(0), first)
