"""How much an input may hold: the first wall against bombs and mistakes.

The sizes are ours, set well above any spine study: the largest routine spine series (isotropic 3-D of a whole
spine) has about 2^26 voxels; a study of twenty series has about 1,500 files and 1 GiB.
"""

from runtime.errors import StudyError

MAX_FILE_BYTES = 2 * 1024**3
"""Size of one file, or of one member of a zip once unpacked."""

MAX_STUDY_BYTES = 4 * 1024**3
"""Sum of all files of a folder, or of all members of a zip once unpacked."""

MAX_ENTRIES = 20_000
"""Files of a folder or members of a zip."""

MAX_VOXELS = 2**28
"""Voxels of all series of a study together."""

MAX_PICTURE_PIXELS = 2**26
"""Pixels of a picture (8192 x 8192)."""

MAX_ZIP_RATIO = 200
"""Unpacked size over packed size of a zip; looked at only past ``ZIP_RATIO_FROM_BYTES``, as a small study of
black slices packs well."""

ZIP_RATIO_FROM_BYTES = 256 * 1024**2


def check_file_size(name: str, size: int) -> None:
    """Refuse an empty file and one that is too large.

    Raises:
        StudyError: If the size is 0 or above ``MAX_FILE_BYTES``.
    """
    if size == 0:
        raise StudyError(f"{name}: expected an image, found an empty file (0 bytes)")
    if size > MAX_FILE_BYTES:
        raise StudyError(f"{name}: expected at most {MAX_FILE_BYTES} bytes, found {size}")


def check_study_size(name: str, *, entries: int, size: int) -> None:
    """Refuse a folder or zip with too many files or too many bytes.

    Raises:
        StudyError: If either limit is passed.
    """
    if entries > MAX_ENTRIES:
        raise StudyError(f"{name}: expected at most {MAX_ENTRIES} files in one study, found {entries}")
    if size > MAX_STUDY_BYTES:
        raise StudyError(f"{name}: expected at most {MAX_STUDY_BYTES} bytes in one study, found {size}")


def check_voxels(name: str, voxels: int) -> None:
    """Refuse an image that is too large to hold in memory.

    Raises:
        StudyError: If there are more than ``MAX_VOXELS``.
    """
    if voxels > MAX_VOXELS:
        raise StudyError(f"{name}: expected at most {MAX_VOXELS} voxels in one study, found {voxels}")
