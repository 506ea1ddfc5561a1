"""Zip archives that explode, overlap, lie, hide links, or name their members to escape."""

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.imaging.corpus.instances import SHAPE, SLICES, sound_slice
from tests.imaging.corpus.registry import Group

GROUP = Group()
NAMES = [f"{k}.dcm" for k in range(SLICES)]


def archive(
    names: list[str], method: int = zipfile.ZIP_DEFLATED, more: Callable[[zipfile.ZipFile], None] | None = None
) -> bytes:
    """Return a zip of the series under other names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as target:
        for k, name in enumerate(names):
            target.writestr(name, sound_slice(k))
        if more is not None:
            more(target)
    return buffer.getvalue()


def save(folder: Path, content: bytes, name: str = "study.zip") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


@GROUP.reads(SHAPE)
def plain(folder: Path) -> Path:
    return save(folder, archive(NAMES))


@GROUP.reads(SHAPE)
def stored(folder: Path) -> Path:
    return save(folder, archive(NAMES, zipfile.ZIP_STORED))


@GROUP.refused(
    r"study\.zip: expected a zip that grows at most 200 times", kind="LimitError", code="limit_zip_ratio"
)
def bomb_of_zeros(folder: Path) -> Path:
    zeros = bytes(1024**2)

    def grow(target: zipfile.ZipFile) -> None:
        with target.open("zeros.dcm", "w") as member:
            for _ in range(40):
                member.write(zeros)

    return save(folder, archive(NAMES, more=grow))


@GROUP.refused(
    r"study\.zip: expected at most 1000 files in one study, found 1001", kind="LimitError", code="limit_entries"
)
def many_entries(folder: Path) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for number in range(1001):
            target.writestr(f"{number}.dcm", b"")
    return save(folder, buffer.getvalue())


@GROUP.refused(
    r"study\.zip: expected a zip directory of at most \d+ bytes, found", kind="LimitError", code="limit_entries"
)
def directory_of_a_million_entries(folder: Path) -> Path:
    """Return an archive of directory entries alone, all of them the same; written by hand, as zipfile is slow."""
    entry = b"PK\x01\x02" + struct.pack("<6H3I5H2I", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    directory = entry * 1_000_000
    end = b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 65535, 65535, len(directory), 4, 0)
    return save(folder, b"PK\x03\x04" + directory + end)


def overlapping(count: int) -> bytes:
    """Return a zip whose entries all point to one member, as the better zip bomb's do."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("a.dcm", sound_slice(0))
    raw = buffer.getvalue()
    start = raw.index(b"PK\x01\x02")
    end = raw.index(b"PK\x05\x06")
    directory = raw[start:end] * count
    return (
        raw[:start]
        + directory
        + b"PK\x05\x06"
        + struct.pack("<4H2IH", 0, 0, count, count, len(directory), start, 0)
    )


@GROUP.refused(r"study\.zip: .*two that share the same bytes", code="zip_overlap")
def entries_that_share_one_member(folder: Path) -> Path:
    return save(folder, overlapping(500))


@GROUP.refused(r"study\.zip: .*two that share the same bytes", code="zip_overlap")
def quoted_overlap(folder: Path) -> Path:
    """Return a zip whose first member runs on over the second one."""
    raw = bytearray(archive(NAMES, zipfile.ZIP_STORED))
    start = raw.index(b"PK\x01\x02")
    size = struct.unpack_from("<I", raw, start + 20)[0]
    struct.pack_into("<I", raw, start + 20, size + 500)
    return save(folder, bytes(raw))


@GROUP.refused(r"study\.zip: expected DICOM files, found 1 x a zip archive")
def zip_in_a_zip(folder: Path) -> Path:
    return save(folder, archive([], more=lambda target: target.writestr("inner.zip", archive(NAMES))))


@GROUP.refused(r"study\.zip: expected DICOM files, found 1 x a zip archive")
def zips_forty_deep(folder: Path) -> Path:
    content = archive(NAMES)
    for _ in range(40):
        inner = content
        content = archive([], more=lambda target, inner=inner: target.writestr("z.zip", inner))  # type: ignore[misc]
    return save(folder, content)


@GROUP.reads(SHAPE)
def names_that_climb_out(folder: Path) -> Path:
    return save(folder, archive(["../../escaped0.dcm", "/tmp/escaped1.dcm", "..\\..\\escaped2.dcm"]))


@GROUP.reads(SHAPE)
def names_of_drives_and_devices(folder: Path) -> Path:
    return save(folder, archive(["C:\\Windows\\escaped.dcm", "\\\\host\\share\\CON", "aux:stream"]))


@GROUP.reads(SHAPE)
def names_of_nothing_but_dots(folder: Path) -> Path:
    return save(folder, archive(["a/../b.dcm", "a/./././c.dcm", "////d.dcm"]))


@GROUP.reads(SHAPE)
def names_with_control_characters(folder: Path) -> Path:
    return save(folder, archive(["a\x1b[2J.dcm", "b\r\n.dcm", "c\u202e.dcm"]))


@GROUP.refused(r"study\.zip: a\?\[2J\.dcm inside it is damaged|^a\?\[2J\.dcm: ")
def damaged_member_with_control_characters(folder: Path) -> Path:
    return save(folder, archive([], more=lambda target: target.writestr("a\x1b[2J.dcm", sound_slice(0)[:600])))


@GROUP.reads(SHAPE)
def names_that_are_no_utf_8(folder: Path) -> Path:
    raw = archive(["aaaa0.dcm", "bbbb1.dcm", "cccc2.dcm"])
    for letters in (b"aaaa", b"bbbb", b"cccc"):
        raw = raw.replace(letters, b"\xff\xfe\x80" + letters[:1])
    return save(folder, raw)


@GROUP.reads(SHAPE)
def entries_without_a_name(folder: Path) -> Path:
    raw = archive([f"nameless{k}.dcm" for k in range(SLICES)])
    return save(folder, raw.replace(b"nameless", b"\0ameless"))


@GROUP.refused(r"study\.zip: the zip archive is damaged")
def names_that_say_utf_8_and_are_none(folder: Path) -> Path:
    raw = bytearray(archive(["\u00e9\u00e9.dcm"]))
    raw = bytearray(bytes(raw).replace("\u00e9\u00e9".encode(), b"\xff\xfe\xff\xfe"))
    return save(folder, bytes(raw))


@GROUP.reads(SHAPE)
def names_of_65_thousand_characters(folder: Path) -> Path:
    return save(folder, archive([f"{'n' * 65_000}{k}.dcm" for k in range(SLICES)]))


@GROUP.reads(SHAPE)
def the_same_name_for_all(folder: Path) -> Path:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return save(folder, archive(["a.dcm"] * SLICES))


@GROUP.reads(SHAPE)
def link_to_a_secret(folder: Path) -> Path:
    def link(target: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("link.dcm")
        info.external_attr = 0o120777 << 16
        target.writestr(info, "/etc/passwd")

    return save(folder, archive(NAMES, more=link))


@GROUP.reads(SHAPE)
def devices_and_pipes(folder: Path) -> Path:
    def special(target: zipfile.ZipFile) -> None:
        for name, mode in (("pipe", 0o010644), ("char", 0o020644), ("block", 0o060644), ("socket", 0o140644)):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            target.writestr(info, b"DICM" * 99)

    return save(folder, archive(NAMES, more=special))


@GROUP.reads(SHAPE)
def folders_thousand_deep(folder: Path) -> Path:
    return save(folder, archive([f"{'d/' * 1000}{k}.dcm" for k in range(SLICES)]))


@GROUP.refused(r"study\.zip: expected a zip without a password", code="zip_encrypted")
def encrypted(folder: Path) -> Path:
    raw = bytearray(archive(NAMES))
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return save(folder, bytes(raw))


def resized(field: int, change: int) -> bytes:
    """Return an archive whose first entry lies about a size (20: packed, 24: unpacked) in the directory."""
    raw = bytearray(archive(NAMES))
    start = raw.index(b"PK\x01\x02")
    (size,) = struct.unpack_from("<I", raw, start + field)
    struct.pack_into("<I", raw, start + field, size + change)
    return bytes(raw)


@GROUP.refused(r"study\.zip: 0\.dcm inside it is damaged")
def unpacked_size_too_small(folder: Path) -> Path:
    return save(folder, resized(24, -100))


@GROUP.refused(r"study\.zip: 0\.dcm inside it is damaged")
def unpacked_size_too_large(folder: Path) -> Path:
    return save(folder, resized(24, 100))


@GROUP.refused(r"study\.zip: 0\.dcm inside it is damaged")
def packed_size_too_small(folder: Path) -> Path:
    return save(folder, resized(20, -50))


@GROUP.refused(r"study\.zip: expected at most \d+ bytes in one study", kind="LimitError", code="limit_study_bytes")
def unpacked_size_of_many_gigabytes(folder: Path) -> Path:
    raw = bytearray(archive(NAMES))
    start = 0
    for _ in range(SLICES):
        start = raw.index(b"PK\x01\x02", start) + 1
        struct.pack_into("<I", raw, start - 1 + 24, 2**31 - 1)
    return save(folder, bytes(raw))


@GROUP.refused(r"study\.zip: 0\.dcm inside it is damaged")
def wrong_checksum(folder: Path) -> Path:
    raw = bytearray(archive(NAMES))
    raw[raw.index(b"PK\x01\x02") + 16] ^= 0xFF
    return save(folder, bytes(raw))


@GROUP.refused(r"study\.zip: .*inside it is damaged")
def spoiled_middle(folder: Path) -> Path:
    raw = bytearray(archive(NAMES))
    raw[200:260] = bytes(60)
    return save(folder, bytes(raw))


@GROUP.refused(r"study\.zip: .*packed in an unknown way \(method 14\)", code="zip_method")
def packed_by_lzma(folder: Path) -> Path:
    return save(folder, archive(NAMES, zipfile.ZIP_LZMA))


@GROUP.refused(r"study\.zip: .*packed in an unknown way \(method 9[0-9]\)", code="zip_method")
def packed_in_a_way_nobody_knows(folder: Path) -> Path:
    raw = bytearray(archive(NAMES))
    struct.pack_into("<H", raw, raw.index(b"PK\x01\x02") + 10, 99)
    return save(folder, bytes(raw))


@GROUP.refused(r"study\.zip: .*damaged")
def member_that_begins_beyond_the_end(folder: Path) -> Path:
    raw = bytearray(archive(NAMES))
    start = raw.rindex(b"PK\x01\x02")
    struct.pack_into("<I", raw, start + 42, 2**31)
    return save(folder, bytes(raw))


@GROUP.refused(r"study\.zip: .*damaged|study\.zip: expected DICOM files, found no file at all")
def directory_that_begins_beyond_the_end(folder: Path) -> Path:
    raw = bytearray(archive(NAMES))
    struct.pack_into("<I", raw, raw.rindex(b"PK\x05\x06") + 16, 2**31)
    return save(folder, bytes(raw))


@GROUP.refused(r"study\.zip: expected DICOM files, found no file at all")
def nothing_inside(folder: Path) -> Path:
    return save(folder, archive([]))


@GROUP.refused(r"study\.zip: expected DICOM files, found no file at all")
def folders_alone(folder: Path) -> Path:
    return save(folder, archive([], more=lambda target: target.mkdir("empty")))


@GROUP.refused(r"study\.zip: expected DICOM files, found 1 x text")
def text_alone(folder: Path) -> Path:
    return save(folder, archive([], more=lambda target: target.writestr("a.txt", "ZZYZX^SECRET")))


@GROUP.reads(SHAPE)
def comment_with_identity(folder: Path) -> Path:
    def comment(target: zipfile.ZipFile) -> None:
        target.comment = b"ZZYZX^SECRET 19530417 " * 2000

    return save(folder, archive(NAMES, more=comment))


@GROUP.reads(SHAPE)
def trailing_garbage(folder: Path) -> Path:
    return save(folder, archive(NAMES) + os.urandom(0) + b"\0" * 3000)


@GROUP.reads(SHAPE)
def without_an_ending(folder: Path) -> Path:
    return save(folder, archive(NAMES), "study")


@GROUP.reads(SHAPE)
def named_as_dicom(folder: Path) -> Path:
    return save(folder, archive(NAMES), "study.dcm")


def _cut(tenth: int) -> None:
    def write(folder: Path) -> Path:
        raw = archive(NAMES)
        return save(folder, raw[: len(raw) * tenth // 10])

    write.__name__ = f"cut_at_{tenth}0_percent"
    GROUP.refused(r"study\.zip: the zip archive is damaged or cut short")(write)


for _tenth in range(1, 10):
    _cut(_tenth)
