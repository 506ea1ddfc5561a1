"""Pictures that are damaged, lie about their size, or hold something other than one grey slice."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.imaging.corpus.registry import Case, Group

GROUP = Group()
GREY = (np.add.outer(np.arange(120) * 2, np.arange(100)) % 256).astype(np.uint8)
DEEP = GREY.astype(np.uint16) * 256 + 7
SHAPE = (100, 120, 1)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int, colour: int, data: bytes, extra: bytes = b"") -> bytes:
    """Return a PNG of raw scan lines (each led by its filter byte)."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(data, 9))
    return b"\x89PNG\r\n\x1a\n" + head + extra + body + png_chunk(b"IEND", b"")


def tiff(tags: list[tuple[int, int, int, int]], data: bytes = b"") -> bytes:
    """Return a little-endian TIFF of one directory of (tag, type, count, value); data lie at offset 8."""
    padded = data + b"\0" * (len(data) % 2)
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    offset = 8 + len(padded)
    return b"II*\0" + struct.pack("<I", offset) + padded + struct.pack("<H", len(tags)) + entries + bytes(4)


def plain_tags(
    width: int, height: int, size: int, *, bits: int = 8, samples: int = 1
) -> list[tuple[int, int, int, int]]:
    return [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, samples), (278, 4, 1, height), (279, 4, 1, size),
    ]  # fmt: skip


def save(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


@GROUP.refused(
    r"bomb\.png: expected at most \d+ pixels, found 60000 x 60000", kind="LimitError", code="limit_picture_pixels"
)
def png_of_3600_megapixels_in_few_bytes(folder: Path) -> Path:
    return save(folder, "bomb.png", png(60000, 60000, 1, 0, b"\0" * 7501 * 100))


@GROUP.refused(r"bomb\.png: expected at most \d+ pixels", kind="LimitError", code="limit_picture_pixels")
def png_whose_rows_all_compress(folder: Path) -> Path:
    return save(folder, "bomb.png", png(20000, 20000, 8, 0, b"\0" * 20001 * 2000))


@GROUP.refused(
    r"big\.png: expected at most \d+ pixels, found 4294967295 x", kind="LimitError", code="limit_picture_pixels"
)
def png_with_the_largest_sizes(folder: Path) -> Path:
    return save(folder, "big.png", png(2**32 - 1, 2**32 - 1, 8, 0, b"\0"))


@GROUP.refused(r"zero\.png: ")
def png_of_no_pixels(folder: Path) -> Path:
    return save(folder, "zero.png", png(0, 0, 8, 0, b""))


@GROUP.refused(r"text\.png: .*(damaged|decoded)")
def png_with_a_text_bomb(folder: Path) -> Path:
    bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000), 1))
    return save(folder, "text.png", png(100, 120, 8, 0, b"".join(b"\0" + row.tobytes() for row in GREY), bomb))


@GROUP.refused(r"profile\.png: .*(damaged|decoded)")
def png_with_a_profile_bomb(folder: Path) -> Path:
    bomb = png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(80_000_000), 1))
    return save(folder, "profile.png", png(100, 120, 8, 0, b"".join(b"\0" + row.tobytes() for row in GREY), bomb))


@GROUP.reads(SHAPE)
def png_with_identity_in_its_text(folder: Path) -> Path:
    text = png_chunk(b"tEXt", b"Patient\0ZZYZX^SECRET ID-998877")
    return save(folder, "t2.png", png(100, 120, 8, 0, b"".join(b"\0" + row.tobytes() for row in GREY), text))


@GROUP.refused(r"short\.png: the picture is damaged or cut short")
def png_with_too_few_rows(folder: Path) -> Path:
    return save(folder, "short.png", png(100, 120, 8, 0, b"".join(b"\0" + row.tobytes() for row in GREY[:60])))


@GROUP.refused(r"crc\.png: the picture is damaged")
def png_with_a_wrong_checksum(folder: Path) -> Path:
    raw = bytearray(encoded(Image.fromarray(GREY), "PNG"))
    raw[-20] ^= 0xFF
    return save(folder, "crc.png", bytes(raw))


@GROUP.refused(r"anim\.png: expected one picture, found 3 pages or frames")
def png_that_moves(folder: Path) -> Path:
    frames = [Image.fromarray(np.roll(GREY, shift, 0)) for shift in range(3)]
    return save(folder, "anim.png", encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]))


@GROUP.refused(r"bits\.png: expected a grey picture, found one of only black and white")
def png_of_one_bit(folder: Path) -> Path:
    return save(folder, "bits.png", encoded(Image.fromarray(GREY > 90), "PNG"))


@GROUP.refused(r"few\.png: expected .*grey")
def png_of_two_bits(folder: Path) -> Path:
    rows = b"".join(b"\0" + bytes(25) for _ in range(120))
    return save(folder, "few.png", png(100, 120, 2, 0, rows))


@GROUP.reads(SHAPE)
def png_of_sixteen_grey_bits(folder: Path) -> Path:
    return save(folder, "deep.png", encoded(Image.fromarray(DEEP), "PNG"))


def deep_colour(channels: int) -> bytes:
    pixels = np.repeat(DEEP[..., np.newaxis], channels, axis=2)
    pixels[..., 3:] = 65535
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)


@GROUP.refused(r"deep\.png: expected .*8 bits.*found 16", code="deep_colour")
def png_of_sixteen_bits_a_colour(folder: Path) -> Path:
    return save(folder, "deep.png", png(100, 120, 16, 2, deep_colour(3)))


@GROUP.refused(r"deep\.png: expected .*8 bits.*found 16", code="deep_colour")
def png_of_sixteen_bits_a_colour_with_transparency(folder: Path) -> Path:
    return save(folder, "deep.png", png(100, 120, 16, 6, deep_colour(4)))


@GROUP.refused(r"deep\.png: expected .*8 bits.*found 16", code="deep_colour")
def png_of_sixteen_grey_bits_with_transparency(folder: Path) -> Path:
    pixels = np.dstack([DEEP, np.full_like(DEEP, 65535)])
    return save(
        folder, "deep.png", png(100, 120, 16, 4, b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels))
    )


@GROUP.refused(r"deep\.tif: expected .*8 bits.*found 16|deep\.tif: .*decoded")
def tiff_of_sixteen_bits_a_colour(folder: Path) -> Path:
    data = np.repeat(DEEP[..., np.newaxis], 3, axis=2).astype("<u2").tobytes()
    tags = [tag for tag in plain_tags(100, 120, len(data), samples=3) if tag[0] not in (258, 262)]
    bits_at = 8 + len(data)
    data += struct.pack("<HHH", 16, 16, 16)
    return save(folder, "deep.tif", tiff([*tags, (258, 3, 3, bits_at), (262, 3, 1, 2)], data))


@GROUP.reads(SHAPE)
def palette_of_greys(folder: Path) -> Path:
    return save(folder, "p.png", encoded(Image.fromarray(GREY).convert("P"), "PNG"))


@GROUP.refused(r"p\.png: the picture is damaged|p\.png: .*decoded|p\.png: .*palette")
def palette_that_is_too_short(folder: Path) -> Path:
    rows = b"".join(b"\0" + row.tobytes() for row in GREY)
    return save(folder, "p.png", png(100, 120, 8, 3, rows, png_chunk(b"PLTE", bytes(range(30)))))


@GROUP.refused(r"p\.png: ")
def palette_that_is_missing(folder: Path) -> Path:
    return save(folder, "p.png", png(100, 120, 8, 3, b"".join(b"\0" + row.tobytes() for row in GREY)))


@GROUP.reads(SHAPE)
def rgb_of_greys(folder: Path) -> Path:
    return save(folder, "c.png", encoded(Image.fromarray(GREY).convert("RGB"), "PNG"))


@GROUP.reads(SHAPE)
def rgba_of_greys(folder: Path) -> Path:
    return save(folder, "c.png", encoded(Image.fromarray(GREY).convert("RGBA"), "PNG"))


@GROUP.reads(SHAPE)
def cmyk_jpeg_of_greys(folder: Path) -> Path:
    return save(
        folder,
        "c.jpg",
        encoded(Image.fromarray(GREY // 2 + 64).convert("RGB").convert("CMYK"), "JPEG", quality=95),
    )


@GROUP.refused(r"c\.png: expected a grey MR slice, found a coloured picture")
def colours(folder: Path) -> Path:
    return save(
        folder,
        "c.png",
        encoded(Image.fromarray(np.dstack([GREY, GREY.T.repeat(2, 0)[:120, :100], 255 - GREY])), "PNG"),
    )


@GROUP.reads(SHAPE)
def float_tiff(folder: Path) -> Path:
    return save(folder, "f.tif", encoded(Image.fromarray(GREY.astype(np.float32) / 3), "TIFF"))


@GROUP.refused(r"f\.tif: expected finite pixel values, found NaN or infinity")
def float_tiff_with_infinity(folder: Path) -> Path:
    real = GREY.astype(np.float32)
    real[5, 5] = np.inf
    return save(folder, "f.tif", encoded(Image.fromarray(real), "TIFF"))


@GROUP.refused(r"f\.tif: expected .*pixel values")
def float_tiff_with_values_beyond_believing(folder: Path) -> Path:
    return save(folder, "f.tif", encoded(Image.fromarray(GREY.astype(np.float32) * np.float32(1e36)), "TIFF"))


@GROUP.refused(r"pages\.tif: expected one picture, found \d+ pages")
def tiff_of_many_pages(folder: Path) -> Path:
    small = Image.fromarray(GREY)
    return save(folder, "pages.tif", encoded(small, "TIFF", save_all=True, append_images=[small] * 40))


@GROUP.refused(r"loop\.tif: ")
def tiff_whose_directory_follows_itself(folder: Path) -> Path:
    raw = bytearray(tiff(plain_tags(100, 120, GREY.size), GREY.tobytes()))
    raw[-4:] = raw[4:8]
    return save(folder, "loop.tif", bytes(raw))


@GROUP.refused(r"chain\.tif: expected one picture, found")
def tiff_of_200_000_directories(folder: Path) -> Path:
    tags = plain_tags(100, 120, GREY.size)
    entries = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    start, step = 8 + GREY.size, len(entries) + 4
    chain = b"".join(
        entries + struct.pack("<I", start + step * (n + 1) if n < 199_999 else 0) for n in range(200_000)
    )
    return save(folder, "chain.tif", b"II*\0" + struct.pack("<I", start) + GREY.tobytes() + chain)


@GROUP.refused(r"bomb\.tif: expected at most", kind="LimitError", code="limit_picture_pixels")
def tiff_of_3600_megapixels_in_few_bytes(folder: Path) -> Path:
    data = zlib.compress(bytes(10_000_000), 9)
    tags = [tag for tag in plain_tags(60000, 60000, len(data)) if tag[0] != 259]
    return save(folder, "bomb.tif", tiff([*tags, (259, 3, 1, 8)], data))


@GROUP.refused(r"offset\.tif: ")
def tiff_whose_pixels_lie_beyond_its_end(folder: Path) -> Path:
    tags = [tag for tag in plain_tags(100, 120, GREY.size) if tag[0] != 273]
    return save(folder, "offset.tif", tiff([*tags, (273, 4, 1, 2**31)], GREY.tobytes()))


@GROUP.refused(r"count\.tif: ")
def tiff_with_a_tag_of_four_thousand_million_values(folder: Path) -> Path:
    tags = [tag for tag in plain_tags(100, 120, GREY.size) if tag[0] != 273]
    return save(folder, "count.tif", tiff([*tags, (273, 4, 2**32 - 1, 8)], GREY.tobytes()))


@GROUP.refused(r"dir\.tif: ")
def tiff_whose_directory_lies_beyond_its_end(folder: Path) -> Path:
    return save(folder, "dir.tif", b"II*\0" + struct.pack("<I", 2**32 - 1) + bytes(100))


@GROUP.reads((120, 100, 1))
def jpeg_turned_by_exif(folder: Path) -> Path:
    exif = Image.Exif()
    exif[0x0112] = 6
    return save(folder, "turned.jpg", encoded(Image.fromarray(GREY), "JPEG", exif=exif))


@GROUP.reads(SHAPE)
def jpeg_with_an_orientation_that_cannot_be(folder: Path) -> Path:
    exif = Image.Exif()
    exif[0x0112] = 77
    return save(folder, "turned.jpg", encoded(Image.fromarray(GREY), "JPEG", exif=exif))


@GROUP.reads(SHAPE)
def jpeg_with_damaged_exif_that_names_the_patient(folder: Path) -> Path:
    raw = encoded(Image.fromarray(GREY), "JPEG")
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xffZZYZX^SECRET"
    return save(folder, "exif.jpg", raw[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + raw[2:])


def jpeg_of(width: int, height: int) -> bytes:
    raw = bytearray(encoded(Image.fromarray(GREY), "JPEG"))
    start = raw.index(b"\xff\xc0")
    raw[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(raw)


@GROUP.refused(r"lie\.jpg: ", kind="LimitError", code="limit_picture_pixels")
def jpeg_that_says_65535_squared(folder: Path) -> Path:
    return save(folder, "lie.jpg", jpeg_of(65535, 65535))


@GROUP.refused(r"lie\.jpg: the picture is damaged or cut short")
def jpeg_that_says_twice_its_height(folder: Path) -> Path:
    return save(folder, "lie.jpg", jpeg_of(100, 240))


@GROUP.refused(r"cut\.jpg: the picture is damaged or cut short")
def jpeg_without_its_end(folder: Path) -> Path:
    return save(folder, "cut.jpg", encoded(Image.fromarray(GREY), "JPEG")[:-200])


@GROUP.refused(r"markers\.jpg: ")
def jpeg_of_markers_without_end(folder: Path) -> Path:
    return save(folder, "markers.jpg", b"\xff\xd8" + b"\xff\xe0\x00\x02" * 2_000_000)


@GROUP.refused(r"scans\.jpg: ")
def jpeg_of_many_progressive_scans(folder: Path) -> Path:
    raw = encoded(Image.fromarray(np.zeros((2000, 2000), np.uint8)), "JPEG", progressive=True)
    start = raw.rindex(b"\xff\xda")
    return save(folder, "scans.jpg", raw[:-2] + raw[start:-2] * 20_000 + b"\xff\xd9")


def _small(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.resize(GREY, (height, width)))


@GROUP.refused(r"speck\.png: expected .*pixels.*found 1 x 1")
def png_of_one_pixel(folder: Path) -> Path:
    return save(folder, "speck.png", encoded(_small(1, 1), "PNG"))


@GROUP.refused(r"line\.png: expected .*pixels.*found 100000 x 1")
def png_of_one_line(folder: Path) -> Path:
    return save(folder, "line.png", encoded(_small(100_000, 1), "PNG"))


@GROUP.reads(SHAPE)
def png_named_as_dicom(folder: Path) -> Path:
    return save(folder, "slice.dcm", encoded(Image.fromarray(GREY), "PNG"))


def _foreign(name: str, content: bytes, words: str) -> None:
    def write(folder: Path) -> Path:
        return save(folder, name, content)

    case = f"{name.replace('.', '_')}_that_is_{words.split()[-1].strip('.')}"
    GROUP.add(Case(case, write, refused=rf"{name}: expected a PNG, JPEG or TIFF picture, .*; found {words}"))


_foreign("report.png", b"%PDF-1.7\n%ZZYZX^SECRET", "a PDF document")
_foreign("note.dcm", b"Patient ZZYZX^SECRET, born 19530417\n" * 20, "text")
_foreign("null.dcm", bytes(5000), "data of unknown kind")
_foreign(
    "scan.mha",
    b"ObjectType = Image\nNDims = 3\nPatient = ZZYZX\n",
    r"a MetaImage volume \(.mha\); convert it to NIfTI",
)
_foreign("scan.nrrd", b"NRRD0005\n# ZZYZX\ntype: short\n", "an NRRD volume; convert it to NIfTI")
_foreign("anim.gif", encoded(Image.fromarray(GREY), "GIF"), "a GIF picture; save the slice as PNG")
_foreign("old.bmp", encoded(Image.fromarray(GREY), "BMP"), "a BMP picture; save the slice as PNG")
_foreign("web.webp", encoded(Image.fromarray(GREY), "WEBP"), "a WebP picture; save the slice as PNG")
_foreign("jp2.png", encoded(Image.fromarray(GREY), "JPEG2000"), "data of unknown kind")
_foreign("prog.exe", b"MZ\x90\x00" + bytes(200), "data of unknown kind")


@GROUP.refused(r"empty\.png: expected an image, found an empty file \(0 bytes\)", code="empty_file")
def empty(folder: Path) -> Path:
    return save(folder, "empty.png", b"")


def _cuts(form: str, suffix: str, deep: NDArray[np.uint8] = GREY) -> None:
    noise = np.random.default_rng(0).integers(0, 255, deep.shape, dtype=np.uint8)
    raw = encoded(Image.fromarray(noise), form)
    for tenth in range(1, 10):

        def write(folder: Path, part: bytes = raw[: len(raw) * tenth // 10]) -> Path:
            return save(folder, f"cut.{suffix}", part)

        GROUP.add(Case(f"{suffix}_cut_at_{tenth}0_percent", write, refused=rf"cut\.{suffix}: "))


_cuts("PNG", "png")
_cuts("JPEG", "jpg")
_cuts("TIFF", "tif")
