"""A stranger's zip unpacked into an empty folder: for the files of other tools, where paths have a meaning.

Studies are never unpacked (``imaging.dicom.members`` reads them in memory). Directory, sizes, growth, overlaps and
packing are checked by the same wall (``imaging.dicom.zips``); links and devices are passed over.
"""

import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from imaging import limits
from imaging.dicom.zips import check_directory_size, plain_entries
from runtime.errors import StudyError
from runtime.names import shown_name

_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, IndexError)


def unpack_zip(archive: Path, folder: Path) -> Path:
    """Unpack a zip under the limits that hold (``imaging.limits``).

    Args:
        archive: The zip.
        folder: Empty folder.

    Returns:
        The folder, or the one folder within it that holds everything, as many packers put one round all files.

    Raises:
        StudyError: If a path leads out of the folder (code ``zip_path``), two members have one path, or the zip is
            damaged, encrypted or a bomb.
        LimitError: If there are too many files or bytes, or folders too deep.
    """
    name = shown_name(archive.name)
    with archive.open("rb") as stream:
        check_directory_size(stream, name)
    try:
        with zipfile.ZipFile(archive) as opened:
            for info in plain_entries(opened, name):
                _unpack_one(opened, info, folder, name)
    except _BROKEN_ZIP as error:
        if isinstance(error, StudyError):
            raise
        # The words of the error may quote the bytes it stumbled over.
        raise StudyError(
            f"{name}: expected a zip, found one that is damaged, cut short or packed in an unknown way "
            f"({type(error).__name__})",
            code="zip_damaged",
        ) from error
    found = list(folder.iterdir())
    return found[0] if len(found) == 1 and found[0].is_dir() else folder


def _unpack_one(archive: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path, zip_name: str) -> None:
    target = folder.joinpath(*_parts(info.filename, zip_name))
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise StudyError(f"{zip_name}: expected one file of each name in the zip, found two", code="zip_path")
    with archive.open(info) as source, target.open("xb") as sink:
        shutil.copyfileobj(source, sink)


def _parts(path: str, zip_name: str) -> tuple[str, ...]:
    """Return the parts of a member's path if all lead downwards.

    Raises:
        StudyError: If it is absolute, climbs, or has a part that no file system of ours can hold.
        LimitError: If it is too deep.
    """
    place = PurePosixPath(path.replace("\\", "/"))
    parts = place.parts
    is_odd = any(part in ("", ".", "..") or ":" in part or "\0" in part or len(part) > 200 for part in parts)
    if not parts or place.is_absolute() or is_odd:
        raise StudyError(
            f"{zip_name}: expected files with paths inside the zip, found one that leads out of it or cannot be "
            "used; pack the files again",
            code="zip_path",
        )
    limits.check_folder_depth(zip_name, len(parts) - 1)
    return parts
