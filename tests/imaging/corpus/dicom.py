"""Single DICOM files whose meta group, values, sizes or lengths lie."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from tests.imaging.corpus.instances import (
    COLUMNS,
    ONE_SHAPE,
    PIXELS,
    ROWS,
    SHAPE,
    boundaries,
    element,
    enhanced,
    instance,
    series_files,
    slice_bytes,
    sound_slice,
    to_bytes,
    with_element,
)
from tests.imaging.corpus.registry import Case, Group

GROUP = Group()


def save(folder: Path, content: bytes, name: str = "x.dcm") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def without_meta(raw: bytes) -> bytes:
    """Return a file from its first element of group 8 on."""
    return raw[raw.index(b"\x08\x00", 132) :]


def replaced(raw: bytes, tag: int, vr: str, value: bytes, *, length: int | None = None) -> bytes:
    """Return an explicit file in which an element has another VR, value or length."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    start = raw.index(head, 132)
    old = 8 + struct.unpack_from("<H", raw, start + 6)[0]
    return raw[:start] + element(tag, vr, value, length=length) + raw[start + old :]


# -- The frame around the data set ---------------------------------------------------------------------------


@GROUP.reads(ONE_SHAPE)
def sound(folder: Path) -> Path:
    return save(folder, sound_slice(0))


@GROUP.reads(ONE_SHAPE)
def no_preamble(folder: Path) -> Path:
    return save(folder, sound_slice(0)[132:])


@GROUP.reads(ONE_SHAPE)
def preamble_of_another_kind(folder: Path) -> Path:
    """A dual-personality file: a TIFF head in the preamble (PS3.10 section 7.1 allows it)."""
    return save(folder, b"II*\0\x08\0\0\0".ljust(128, b"\0") + sound_slice(0)[128:])


@GROUP.reads(ONE_SHAPE)
def no_meta_explicit(folder: Path) -> Path:
    return save(folder, without_meta(sound_slice(0)))


@GROUP.reads(ONE_SHAPE)
def no_meta_implicit(folder: Path) -> Path:
    dataset = instance(0)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return save(folder, without_meta(to_bytes(dataset)))


@GROUP.reads(ONE_SHAPE)
def meta_without_transfer_syntax(folder: Path) -> Path:
    return save(folder, _without(sound_slice(0), 0x00020010))


@GROUP.reads(ONE_SHAPE)
def meta_group_length_that_lies(folder: Path) -> Path:
    raw = bytearray(sound_slice(0))
    struct.pack_into("<I", raw, raw.index(b"\x02\x00\x00\x00UL\x04\x00") + 8, 9999)
    return save(folder, bytes(raw))


@GROUP.reads(ONE_SHAPE)
def big_endian(folder: Path) -> Path:
    dataset = instance(0)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = PIXELS[0].astype(">u2").tobytes()
    return save(folder, to_bytes(dataset))


@GROUP.refused(r"x\.dcm: ")
def explicit_that_says_big_endian(folder: Path) -> Path:
    raw = sound_slice(0).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0")
    return save(folder, raw)


@GROUP.refused(r"x\.dcm: ")
def transfer_syntax_that_nobody_knows(folder: Path) -> Path:
    return save(folder, sound_slice(0).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0"))


def _without(raw: bytes, tag: int) -> bytes:
    """Return an explicit file without one short element."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    start = raw.index(head, 132)
    return raw[:start] + raw[start + 8 + struct.unpack_from("<H", raw, start + 6)[0] :]


def _missing(name: str, tag: int, words: str, kind: str = "StudyError") -> None:
    def write(folder: Path) -> Path:
        return save(folder, _without(sound_slice(0), tag))

    GROUP.add(Case(f"without_{name}", write, refused=words, kind=kind))


_missing("sop_class", 0x00080016, r"x\.dcm: .*no SOP class")
_missing("instance_uid", 0x00080018, r"x\.dcm: .*expected an MR image with size and UIDs")
_missing("study_uid", 0x0020000D, r"x\.dcm: .*expected an MR image with size and UIDs")
_missing("series_uid", 0x0020000E, r"x\.dcm: .*expected an MR image with size and UIDs")
_missing("rows", 0x00280010, r"x\.dcm: .*expected an MR image with size and UIDs")
_missing("position", 0x00200032, r"x\.dcm: .*MR image without position, orientation or pixel spacing")
_missing("orientation", 0x00200037, r"x\.dcm: .*MR image without position, orientation or pixel spacing")
_missing("pixel_spacing", 0x00280030, r"x\.dcm: .*MR image without position, orientation or pixel spacing")
_missing("bits_allocated", 0x00280100, r"x\.dcm: ")
_missing("photometric", 0x00280004, r"x\.dcm: .*does not tell whether it is grey")


# -- Values ----------------------------------------------------------------------------------------------------


def _value(name: str, refused: str | None, change: Callable[[bytes], bytes], **more: object) -> None:
    def write(folder: Path) -> Path:
        return save(folder, change(sound_slice(0)))

    shape = None if refused else ONE_SHAPE
    GROUP.add(Case(name, write, refused=refused, shape=shape, **more))  # type: ignore[arg-type]


def _extra(name: str, content: bytes, *, before: int) -> None:
    """Register a file that must be read in spite of an element put into it."""
    _value(name, None, lambda raw: with_element(raw, content, before=before))


NO_PLACE = r"x\.dcm: .*(without position|spacing that cannot be|expected)"
_value("rows_as_text", None, lambda raw: replaced(raw, 0x00280010, "LO", b"24"))
_value("rows_as_a_sequence", r"x\.dcm: ", lambda raw: replaced(raw, 0x00280010, "SQ", b"\x18\0"))
_value(
    "rows_as_a_long_number",
    r"x\.dcm: expected at most \d+ voxels",
    lambda raw: replaced(raw, 0x00280010, "UL", struct.pack("<I", 2**31)),
    kind="LimitError",
)
_value("rows_of_three_bytes", r"x\.dcm: ", lambda raw: replaced(raw, 0x00280010, "US", b"\x18\0\0"))
_value("rows_of_zero", r"x\.dcm: ", lambda raw: replaced(raw, 0x00280010, "US", bytes(2)))
_value("spacing_as_binary", NO_PLACE, lambda raw: replaced(raw, 0x00280030, "US", bytes(8)))
_value("spacing_of_letters", NO_PLACE, lambda raw: replaced(raw, 0x00280030, "DS", b"wide\\high "))
_value("spacing_of_nan", NO_PLACE, lambda raw: replaced(raw, 0x00280030, "DS", b"nan\\0.6 "))
_value("spacing_of_infinity", NO_PLACE, lambda raw: replaced(raw, 0x00280030, "DS", b"inf\\0.6 "))
_value("spacing_of_huge_numbers", NO_PLACE, lambda raw: replaced(raw, 0x00280030, "DS", b"1e308\\1e308 "))
_value("spacing_below_zero", NO_PLACE, lambda raw: replaced(raw, 0x00280030, "DS", b"-0.7\\-0.6 "))
_value("position_of_five_numbers", NO_PLACE, lambda raw: replaced(raw, 0x00200032, "DS", b"1\\2\\3\\4\\5 "))
_value(
    "position_far_away",
    r"x\.dcm: .*(10000 mm|place|position)",
    lambda raw: replaced(raw, 0x00200032, "DS", b"1e38\\0\\0 "),
)
_value("position_of_a_megabyte", NO_PLACE, lambda raw: replaced(raw, 0x00200032, "UT", b"1\\" * 500_000))
_value("orientation_of_zeros", NO_PLACE, lambda raw: replaced(raw, 0x00200037, "DS", b"0\\0\\0\\0\\0\\0 "))
_value("orientation_of_one_direction", NO_PLACE, lambda raw: replaced(raw, 0x00200037, "DS", b"1\\0\\0\\1\\0\\0 "))
_value("orientation_of_nan", NO_PLACE, lambda raw: replaced(raw, 0x00200037, "DS", b"nan\\0\\0\\0\\1\\0 "))
_value("frames_below_zero", None, lambda raw: with_element(raw, element(0x00280008, "IS", b"-5")))
_value("frames_of_letters", None, lambda raw: with_element(raw, element(0x00280008, "IS", b"many")))
_value("frames_five_of_one", r"x\.dcm: ", lambda raw: with_element(raw, element(0x00280008, "IS", b"5 ")))
_value("slope_of_nan", None, lambda raw: with_element(raw, element(0x00281053, "DS", b"nan ")))
_value("slope_of_infinity", None, lambda raw: with_element(raw, element(0x00281053, "DS", b"inf ")))
_value(
    "slope_beyond_believing",
    r"x\.dcm: expected .*pixel values",
    lambda raw: with_element(raw, element(0x00281053, "DS", b"1e37")),
)
_value(
    "intercept_beyond_believing",
    r"x\.dcm: expected .*pixel values",
    lambda raw: with_element(raw, element(0x00281052, "DS", b"1e300 ")),
)
_value("echo_time_of_letters", None, lambda raw: replaced(raw, 0x00180081, "DS", b"long"))
_value(
    "character_set_unknown",
    None,
    lambda raw: with_element(raw, element(0x00080005, "CS", b"ISO 99\\KLINGON "), before=0x00080008),
)
_value(
    "character_set_of_binary",
    None,
    lambda raw: with_element(raw, element(0x00080005, "CS", bytes(range(128, 160))), before=0x00080008),
)
_value(
    "words_of_control_characters",
    None,
    lambda raw: with_element(raw, element(0x0008103E, "LO", b"T2\x1b[31m\r\n\0SAG "), before=0x00100010),
)
_value(
    "age_of_letters", None, lambda raw: with_element(raw, element(0x00101010, "AS", b"OLD!"), before=0x00180020)
)
_value("birth_after_the_study", None, lambda raw: replaced(raw, 0x00100030, "DA", b"20990417"))
_value(
    "the_same_element_twice",
    None,
    lambda raw: with_element(raw, element(0x00280010, "US", b"\x18\0") * 2, before=0x00280011),
)
_value("elements_out_of_order", None, lambda raw: with_element(raw, element(0x00080070, "LO", b"ACME")))
_value("vr_that_is_none", r"x\.dcm: ", lambda raw: raw.replace(b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00??"))
_value("vr_of_two_unknown_letters", None, lambda raw: with_element(raw, element(0x00271010, "ZZ", b"abcd")))


# -- Sizes and bits that lie --------------------------------------------------------------------------------------


NONE_LEFT = "NotEligibleError"
COLOURED = r"x\.dcm: .*coloured image"


def _header(name: str, refused: str | None, *, kind: str = "StudyError", **header: object) -> None:
    def write(folder: Path) -> Path:
        return save(folder, slice_bytes(0, **header))

    GROUP.add(Case(name, write, refused=refused, kind=kind, shape=None if refused else ONE_SHAPE))


LONG = r"x\.dcm: expected \d+ bytes of pixels .*, found \d+"
SHORT = r"x\.dcm: .*expected whole pixel data"
_header("more_rows_than_bytes", SHORT, Rows=1000, Columns=1000)
_header("rows_of_one_more", SHORT, Rows=ROWS + 1)
_header("fewer_rows_than_bytes", LONG, Rows=ROWS // 2)
_header(
    "bits_of_eight",
    r"x\.dcm: expected \d+ bytes of pixels .*, found \d+",
    BitsAllocated=8,
    BitsStored=8,
    HighBit=7,
)
_header("bits_of_thirty_two", SHORT, BitsAllocated=32, BitsStored=32, HighBit=31)
_header("bits_of_twelve", r"x\.dcm: ", BitsAllocated=12)
_header("bits_of_one", r"x\.dcm: ", BitsAllocated=1, BitsStored=1, HighBit=0)
_header("bits_of_zero", r"x\.dcm: ", BitsAllocated=0)
_header("stored_bits_beyond_the_allocated", r"x\.dcm: ", BitsStored=99, HighBit=98)
_header("high_bit_beyond_the_allocated", None, HighBit=77)
_header("three_samples_of_grey", r"x\.dcm: ", SamplesPerPixel=3)
_header("pixels_of_nothing", r"x\.dcm: expected the pixels of an MR image, found none", PixelData=b"")
_header("one_line", r"x\.dcm: .*less than 16 pixels", Rows=1, Columns=ROWS * COLUMNS)
_header("colours", COLOURED, kind=NONE_LEFT, PhotometricInterpretation="RGB", SamplesPerPixel=3)
_header("palette", COLOURED, kind=NONE_LEFT, PhotometricInterpretation="PALETTE COLOR")


@GROUP.refused(r"x\.dcm: expected at most \d+ voxels", kind="LimitError", code="limit_voxels")
def size_of_four_thousand_megapixels(folder: Path) -> Path:
    return save(folder, slice_bytes(0, Rows=65535, Columns=65535))


@GROUP.refused(r"x\.dcm: ")
def enhanced_of_a_million_frames(folder: Path) -> Path:
    return save(folder, to_bytes(enhanced(NumberOfFrames=1_000_000)))


@GROUP.refused(r"x\.dcm: ")
def enhanced_of_the_largest_number_of_frames(folder: Path) -> Path:
    return save(folder, to_bytes(enhanced(NumberOfFrames=2**31 - 1)))


@GROUP.refused(r"x\.dcm: expected \d+ bytes of pixels .*, found \d+")
def enhanced_of_fewer_frames_than_it_holds(folder: Path) -> Path:
    return save(folder, to_bytes(enhanced(NumberOfFrames=2)))


@GROUP.refused(r"x\.dcm: ")
def enhanced_without_its_groups(folder: Path) -> Path:
    dataset = enhanced()
    del dataset.PerFrameFunctionalGroupsSequence
    return save(folder, to_bytes(dataset))


@GROUP.reads(SHAPE)
def enhanced_sound(folder: Path) -> Path:
    return save(folder, to_bytes(enhanced()))


# -- Lengths ---------------------------------------------------------------------------------------------------


def _length(name: str, vr: str, length: int) -> None:
    _value(
        name,
        r"x\.dcm: .*damaged or cut short",
        lambda raw: with_element(raw, element(0x00271010, vr, b"", length=length)),
    )


_length("length_of_nearly_undefined_bytes", "OB", 0xFFFFFFFE)
_length("length_of_nearly_undefined_text", "UT", 0xFFFFFFFE)
_length("length_of_nearly_undefined_sequence", "SQ", 0xFFFFFFFE)
_length("length_of_two_gigabytes", "UN", 0x7FFFFFFF)
_length("length_of_undefined_text", "UT", 0xFFFFFFFF)
_length("length_of_undefined_bytes", "OB", 0xFFFFFFFF)
_length("length_past_the_end", "LO", 0xFFFF)


@GROUP.refused(r"x\.dcm: .*damaged or cut short")
def pixels_longer_than_the_file(folder: Path) -> Path:
    raw = bytearray(sound_slice(0))
    place = raw.rindex(b"\xe0\x7f\x10\x00OW")
    struct.pack_into("<I", raw, place + 8, 0xFFFFFFFE)
    return save(folder, bytes(raw))


@GROUP.reads(ONE_SHAPE)
def zeros_after_the_pixels(folder: Path) -> Path:
    return save(folder, sound_slice(0) + bytes(2000))


@GROUP.reads(ONE_SHAPE)
def trailing_padding(folder: Path) -> Path:
    return save(folder, sound_slice(0) + element(0xFFFCFFFC, "OB", bytes(500)))


# -- Deflated ---------------------------------------------------------------------------------------------------


def deflated(extra: bytes = b"") -> bytes:
    dataset = instance(0)
    raw = to_bytes(dataset).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    raw = raw.replace(b"\x02\x00\x10\x00UI\x14\x00", b"\x02\x00\x10\x00UI\x16\x00")
    start = raw.index(b"\x08\x00", 140)
    while raw[start : start + 6] not in (b"\x08\x00\x08\x00CS", b"\x08\x00\x16\x00UI"):
        start = raw.index(b"\x08\x00", start + 1)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = with_element(bytes(132) + raw[start:], extra)[132:]
    packed = packer.compress(body) + packer.flush()
    assert DeflatedExplicitVRLittleEndian == "1.2.840.10008.1.2.1.99"
    return raw[:start] + packed


@GROUP.reads(ONE_SHAPE)
def deflated_sound(folder: Path) -> Path:
    return save(folder, deflated())


@GROUP.refused(
    r"x\.dcm: expected deflated DICOM that grows at most 200 times", kind="LimitError", code="limit_zip_ratio"
)
def deflated_bomb(folder: Path) -> Path:
    return save(folder, deflated(element(0x00271010, "OB", bytes(50_000_000))))


@GROUP.refused(r"x\.dcm: .*damaged or cut short")
def deflated_and_cut(folder: Path) -> Path:
    return save(folder, deflated()[:-300])


@GROUP.refused(r"x\.dcm: .*damaged or cut short")
def deflated_that_is_not(folder: Path) -> Path:
    raw = deflated()
    return save(folder, raw[:-500] + bytes(500))


# -- Cut at every element, alone and among sound files ----------------------------------------------------------


def _cuts() -> None:
    for kind, raw in (("classic", sound_slice(0)), ("enhanced", to_bytes(enhanced()))):
        for place in boundaries(raw):
            for extra in (0, 3, 7):

                def write(folder: Path, part: bytes = raw[: place + extra]) -> Path:
                    return save(folder, part)

                GROUP.add(Case(f"{kind}_cut_at_{place}_and_{extra}", write, refused=r"x\.dcm: "))
    raw = sound_slice(1)
    for place in boundaries(raw):

        def spoil(folder: Path, part: bytes = raw[:place]) -> Path:
            series_files(folder / "study")[1].write_bytes(part)
            return folder / "study"

        GROUP.add(
            Case(f"one_of_three_cut_at_{place}", spoil, refused=r"^1\.dcm: .*(damaged or cut short|no SOP class)")
        )


_cuts()
