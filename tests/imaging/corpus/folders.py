"""Folders and single paths that hold pipes, links, devices, loops, odd names and depths."""

import os
import socket
from pathlib import Path

from tests.imaging.corpus.instances import SHAPE, series_files, slice_bytes, sound_slice
from tests.imaging.corpus.registry import Case, Group

GROUP = Group()


@GROUP.reads(SHAPE)
def plain_folder(folder: Path) -> Path:
    series_files(folder / "study")
    return folder / "study"


@GROUP.reads(SHAPE)
def pipe_among_the_files(folder: Path) -> Path:
    series_files(folder / "study")
    os.mkfifo(folder / "study" / "a_pipe.dcm")
    return folder / "study"


@GROUP.reads(SHAPE)
def socket_among_the_files(folder: Path) -> Path:
    series_files(folder / "study")
    # The path of a socket may have 107 bytes at most.
    here = os.open(folder / "study", os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"/proc/self/fd/{here}/a_socket.dcm")
    finally:
        os.close(here)
    return folder / "study"


@GROUP.reads(SHAPE)
def link_to_a_device_among_the_files(folder: Path) -> Path:
    series_files(folder / "study")
    (folder / "study" / "zero.dcm").symlink_to("/dev/zero")
    return folder / "study"


@GROUP.reads(SHAPE)
def link_to_its_own_folder(folder: Path) -> Path:
    series_files(folder / "study")
    (folder / "study" / "again").symlink_to(folder / "study", target_is_directory=True)
    (folder / "study" / "ring").symlink_to(folder / "study" / "ring")
    return folder / "study"


@GROUP.reads(SHAPE)
def links_to_files_outside_are_not_followed(folder: Path) -> Path:
    series_files(folder / "study")
    (folder / "outside.dcm").write_bytes(slice_bytes(0, PatientID="OTHER", StudyInstanceUID="1.2.3"))
    (folder / "study" / "outside.dcm").symlink_to(folder / "outside.dcm")
    (folder / "study" / "etc").symlink_to("/etc", target_is_directory=True)
    (folder / "study" / "gone.dcm").symlink_to(folder / "nothing")
    return folder / "study"


@GROUP.reads(SHAPE)
def hidden_and_empty_files_among_the_images(folder: Path) -> Path:
    series_files(folder / "study")
    (folder / "study" / ".DS_Store").write_bytes(b"\0" * 100)
    (folder / "study" / "README.txt").write_text("ZZYZX^SECRET")
    (folder / "study" / "nothing.txt").touch()
    return folder / "study"


@GROUP.reads(SHAPE)
def folder_named_as_a_file(folder: Path) -> Path:
    series_files(folder / "x.dcm")
    return folder / "x.dcm"


@GROUP.refused(r"x\.dcm: expected DICOM files, found no file at all")
def empty_folder_named_as_a_file(folder: Path) -> Path:
    (folder / "x.dcm").mkdir()
    return folder / "x.dcm"


@GROUP.reads(SHAPE)
def twenty_folders_deep(folder: Path) -> Path:
    series_files(folder.joinpath("deep", *["d"] * 20))
    return folder / "deep"


@GROUP.refused(
    r"deep: expected at most 32 folders within folders, found 33", kind="LimitError", code="limit_folder_depth"
)
def hundred_folders_deep(folder: Path) -> Path:
    series_files(folder.joinpath("deep", *["d"] * 100))
    return folder / "deep"


@GROUP.reads(SHAPE)
def names_that_are_no_utf_8(folder: Path) -> Path:
    series_files(folder / "study")
    for number, file in enumerate(sorted((folder / "study").iterdir())):
        os.rename(file, os.fsencode(file.parent) + b"/\xff\xfe\x80" + str(number).encode())
    return folder / "study"


@GROUP.refused(r"^\?\?\.dcm: ")
def damaged_file_whose_name_is_no_utf_8(folder: Path) -> Path:
    path = os.fsencode(folder) + b"/\xff\xfe.dcm"
    with open(path, "wb") as stream:
        stream.write(sound_slice(0)[:600])
    return Path(os.fsdecode(path))


@GROUP.refused(r"^a\?\[31mred\?b\.dcm: ")
def damaged_file_whose_name_holds_control_characters(folder: Path) -> Path:
    file = folder / "a\x1b[31mred\nb.dcm"
    file.write_bytes(sound_slice(0)[:600])
    return file


@GROUP.refused(r"^x\?gnp\.exe: ")
def text_whose_name_turns_its_direction(folder: Path) -> Path:
    file = folder / "x\u202egnp.exe"
    file.write_text("hello")
    return file


@GROUP.refused(r"^a{80}\.\.\.a+\.dcm: ")
def damaged_file_with_the_longest_name(folder: Path) -> Path:
    file = folder / ("a" * 251 + ".dcm")
    file.write_bytes(sound_slice(0)[:600])
    return file


@GROUP.refused(r"study: .*|^\d+\.dcm", kind="StudyError")
def one_damaged_file_among_sound_ones(folder: Path) -> Path:
    files = series_files(folder / "study")
    files[1].write_bytes(files[1].read_bytes()[:600])
    return folder / "study"


@GROUP.refused(r"pipe\.dcm: expected a PNG.*, found a pipe, socket or device")
def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.dcm")
    return folder / "pipe.dcm"


@GROUP.refused(r"zero: expected a PNG.*, found a pipe, socket or device")
def device(folder: Path) -> Path:
    return Path("/dev/zero")


@GROUP.refused(r"gone\.dcm: expected a PNG.*, found a link that leads nowhere")
def link_that_leads_nowhere(folder: Path) -> Path:
    (folder / "gone.dcm").symlink_to(folder / "nothing")
    return folder / "gone.dcm"


@GROUP.refused(r"ring\.dcm: expected a PNG.*, found a link that leads nowhere")
def link_to_itself(folder: Path) -> Path:
    (folder / "ring.dcm").symlink_to("ring.dcm")
    return folder / "ring.dcm"


@GROUP.refused(r"expected a PNG.*, found no such file")
def name_too_long_for_any_file(folder: Path) -> Path:
    return folder / ("x" * 5000)


@GROUP.refused(r"expected a PNG.*, found no such file")
def path_through_a_file(folder: Path) -> Path:
    (folder / "a.png").write_bytes(b"x")
    return folder / "a.png" / "b.dcm"


@GROUP.refused(r"mem: ")
def file_of_the_kernel_that_says_it_is_empty(folder: Path) -> Path:
    return Path("/proc/self/mem")


def _many() -> None:
    def write(folder: Path) -> Path:
        (folder / "many").mkdir()
        for number in range(1001):
            os.link(_first(folder), folder / "many" / f"{number}.dcm") if number else _first(folder)
        return folder / "many"

    GROUP.add(
        Case(
            "more_files_than_allowed",
            write,
            refused=r"many: expected at most 1000 files in one study, found 1001",
            kind="LimitError",
            code="limit_entries",
        )
    )


def _first(folder: Path) -> Path:
    file = folder / "many" / "0.dcm"
    if not file.exists():
        file.write_bytes(sound_slice(0))
    return file


_many()
