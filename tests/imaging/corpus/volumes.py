"""NIfTI files that lie in their header, place nothing, or hold something other than one grey volume."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from tests.imaging.corpus.registry import Case, Group

GROUP = Group()
SHAPE = (5, 110, 100)
READ_SHAPE = (110, 100, 5)
GOOD = np.diag([4.0, 0.6, 0.7, 1.0])
ARRAY = (np.arange(np.prod(SHAPE)) % 4093).reshape(SHAPE).astype(np.int16)
# Fields of the NIfTI-1 header: offset and struct code. Source: nifti1.h.
FIELDS = {
    "dim": (40, "8h"), "datatype": (70, "h"), "bitpix": (72, "h"), "pixdim": (76, "8f"), "vox_offset": (108, "f"),
    "scl_slope": (112, "f"), "scl_inter": (116, "f"), "xyzt_units": (123, "B"), "qform_code": (252, "h"),
    "sform_code": (254, "h"), "quatern": (256, "3f"), "srow": (280, "12f"), "magic": (344, "4s"),
    "extension": (348, "4B"), "intent_code": (68, "h"), "dim_info": (39, "B"),
}  # fmt: skip


def volume(array: np.ndarray = ARRAY, affine: np.ndarray | None = GOOD) -> bytes:
    image = nib.Nifti1Image(array, affine)
    image.header["descrip"] = b"ZZYZX^SECRET 19530417"
    image.header["db_name"] = b"ID-998877"
    return bytes(image.to_bytes())


def changed(raw: bytes, **fields: object) -> bytes:
    """Return a file with header fields overwritten."""
    spoiled = bytearray(raw)
    for name, value in fields.items():
        offset, code = FIELDS[name]
        values = value if isinstance(value, tuple | list) else (value,)
        struct.pack_into("<" + code, spoiled, offset, *values)
    return bytes(spoiled)


def save(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def spoiled(name: str, refused: str | None = None, **more: object) -> Callable[..., None]:
    """Return a way to register the good volume with overwritten header fields."""

    def register(**fields: object) -> None:
        def write(folder: Path) -> Path:
            return save(folder, "x.nii", changed(volume(), **fields))

        GROUP.add(Case(name, write, refused=refused, **more))  # type: ignore[arg-type]

    return register


def rows(affine: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in affine[:3].ravel())


def _affine(**entries: float) -> tuple[float, ...]:
    affine = GOOD.copy()
    for name, value in entries.items():
        affine[int(name[1]), int(name[2])] = value
    return rows(affine)


# An affine that places nothing.
spoiled("affine_of_nan", r"x\.nii: .*NaN")(srow=_affine(a11=np.nan))
spoiled("affine_of_infinity", r"x\.nii: .*(NaN|infinity|finite)")(srow=_affine(a00=np.inf))
spoiled("affine_of_zeros", r"x\.nii: .*singular")(srow=(0.0,) * 12)
spoiled("affine_of_one_flat_axis", r"x\.nii: .*singular")(srow=_affine(a22=0.0))
spoiled("affine_of_two_equal_axes", r"x\.nii: .*singular")(srow=_affine(a11=0.0, a21=0.7))
spoiled("affine_of_nearly_equal_axes", r"x\.nii: .*singular|x\.nii: .*shear")(
    srow=_affine(a11=0.6, a21=0.6, a12=0.6, a22=0.6 + 1e-6)
)
spoiled("affine_of_huge_numbers", r"x\.nii: expected 0.1 to 5 mm")(srow=rows(GOOD * 1e30))
spoiled("affine_of_tiny_numbers", r"x\.nii: .*(0.1 to 5 mm|singular)")(srow=rows(GOOD * 1e-20))
spoiled("affine_with_nan_offset", r"x\.nii: .*NaN")(srow=_affine(a03=np.nan))
spoiled("affine_far_away", r"x\.nii: expected a position within 10000 mm")(srow=_affine(a03=3e38))
spoiled("no_orientation", r"x\.nii: expected an orientation .*left and right cannot be told")(
    sform_code=0, qform_code=0
)
spoiled("quaternion_of_nan", r"x\.nii: ")(sform_code=0, qform_code=1, quatern=(np.nan, 0.0, 0.0))
spoiled("quaternion_beyond_one", r"x\.nii: ")(sform_code=0, qform_code=1, quatern=(9.0, 9.0, 9.0))
spoiled("pixdim_of_zero", r"x\.nii: ")(sform_code=0, qform_code=1, pixdim=(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
spoiled("pixdim_below_zero", r"x\.nii: ")(
    sform_code=0, qform_code=1, pixdim=(1.0, -4.0, -0.6, -0.7, 0.0, 0.0, 0.0, 0.0)
)
spoiled("pixdim_of_nan", r"x\.nii: ")(sform_code=0, qform_code=1, pixdim=(np.nan,) * 8)
spoiled("orientation_code_beyond_the_standard", r"x\.nii: ")(sform_code=99)
spoiled("slices_a_metre_apart", r"x\.nii: expected 0.1 to 50 mm between slices")(srow=_affine(a00=1000.0))
spoiled("metres", r"x\.nii: expected millimetres, found a NIfTI in metres")(xyzt_units=1)
spoiled("unknown_unit", r"x\.nii: ")(xyzt_units=7)

# Sizes that lie.
spoiled("zero_slices", r"x\.nii: ")(dim=(3, 0, 110, 100, 1, 1, 1, 1))
spoiled("sizes_below_zero", r"x\.nii: ")(dim=(3, -5, 110, 100, 1, 1, 1, 1))
spoiled("no_dimensions", r"x\.nii: ")(dim=(0, 5, 110, 100, 1, 1, 1, 1))
spoiled("nine_dimensions", r"x\.nii: ")(dim=(9, 5, 110, 100, 1, 1, 1, 1))
spoiled("dimensions_below_zero", r"x\.nii: ")(dim=(-3, 5, 110, 100, 1, 1, 1, 1))
spoiled("four_dimensions", r"x\.nii: expected a volume of 2 or 3 dimensions, found shape \(5, 11, 10, 100\)")(
    dim=(4, 5, 11, 10, 100, 1, 1, 1)
)
spoiled("five_dimensions", r"x\.nii: expected a volume of 2 or 3 dimensions")(dim=(5, 5, 11, 10, 10, 10, 1, 1))
spoiled("sizes_beyond_the_limit", r"x\.nii: expected at most \d+ voxels", kind="LimitError", code="limit_voxels")(
    dim=(3, 32767, 32767, 32767, 1, 1, 1, 1)
)
spoiled("sizes_beyond_the_file", r"x\.nii: expected \d+ bytes, found \d+: the file is cut short")(
    dim=(3, 50, 110, 100, 1, 1, 1, 1)
)
spoiled("one_line_of_voxels", r"x\.nii: expected .*pixels, found")(dim=(3, 5, 11000, 1, 1, 1, 1, 1))
spoiled("offset_beyond_the_end", r"x\.nii: expected \d+ bytes, found \d+")(vox_offset=2e6)
spoiled("offset_beyond_all", r"x\.nii: expected at most", kind="LimitError", code="limit_file_bytes")(
    vox_offset=3e38
)
spoiled("offset_of_nan", r"x\.nii: ")(vox_offset=np.nan)
spoiled("offset_below_zero", r"x\.nii: ")(vox_offset=-100.0)
spoiled("offset_inside_the_header", r"x\.nii: ")(vox_offset=16.0)
spoiled("offset_of_zero_in_one_file", r"x\.nii: ")(vox_offset=0.0)
spoiled("offset_of_a_fraction", r"x\.nii: ")(vox_offset=352.5)
spoiled("bitpix_that_lies", shape=READ_SHAPE)(bitpix=64)
spoiled("datatype_unknown", r"x\.nii: ")(datatype=3)
spoiled("datatype_of_single_bits", r"x\.nii: ")(datatype=1)
spoiled("datatype_of_eight_bytes", r"x\.nii: expected \d+ bytes, found \d+")(datatype=64)
spoiled("slope_of_infinity", r"x\.nii: ")(scl_slope=np.inf)
spoiled("slope_of_nan", shape=READ_SHAPE)(scl_slope=np.nan)
spoiled("slope_beyond_believing", r"x\.nii: expected pixel values of at most")(scl_slope=1e35, scl_inter=0.0)
spoiled("magic_of_a_pair", r"x\.nii: .*one half of a NIfTI")(magic=b"ni1\0")
spoiled("intent_that_is_no_image", shape=READ_SHAPE)(intent_code=1005)


# Extensions are skipped, whatever they say of their size; the voxels begin where the header says.
def _extension(name: str, size: int, content: bytes, refused: str | None) -> None:
    def write(folder: Path) -> Path:
        raw = volume()
        block = struct.pack("<ii", size, 4) + content
        start = 352 + len(block)
        head = changed(raw[:352], extension=(1, 0, 0, 0), vox_offset=float(start))
        return save(folder, "x.nii", head + block + raw[352:])

    GROUP.add(Case(name, write, refused=refused, shape=None if refused else READ_SHAPE))


_extension("extension_with_identity", 48, b"ZZYZX^SECRET 19530417".ljust(40, b"\0"), None)
_extension("extension_size_of_zero", 0, bytes(40), None)
_extension("extension_size_below_zero", -16, bytes(40), None)
_extension("extension_size_beyond_the_file", 2**31 - 1, bytes(40), None)
_extension("extension_size_of_no_multiple", 17, bytes(40), None)


@GROUP.refused(r"x\.nii: expected whole or real numbers")
def complex_numbers(folder: Path) -> Path:
    return save(folder, "x.nii", volume(np.zeros(SHAPE, np.complex64)))


@GROUP.refused(r"x\.nii: expected a grey image, found a NIfTI of colour values")
def colours(folder: Path) -> Path:
    return save(folder, "x.nii", volume(np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])))


@GROUP.refused(r"x\.nii: expected numbers, found only NaN or infinity")
def nothing_but_nan(folder: Path) -> Path:
    return save(folder, "x.nii", volume(np.full(SHAPE, np.nan, np.float32)))


@GROUP.reads(READ_SHAPE, says="3 voxels that were no finite number")
def some_infinite_voxels(folder: Path) -> Path:
    array = ARRAY.astype(np.float32)
    array[0, 0, :3] = (np.inf, -np.inf, np.nan)
    return save(folder, "x.nii", volume(array))


@GROUP.refused(r"x\.nii: expected pixel values of at most")
def double_precision_beyond_single(folder: Path) -> Path:
    return save(folder, "x.nii", volume(np.full(SHAPE, 1e20, np.float64)))


@GROUP.reads(READ_SHAPE)
def trailing_garbage(folder: Path) -> Path:
    return save(folder, "x.nii", volume() + b"ZZYZX" * 10_000)


@GROUP.reads(READ_SHAPE)
def gzip_bomb_behind_a_sound_volume(folder: Path) -> Path:
    return save(folder, "x.nii.gz", gzip.compress(volume() + bytes(100_000_000), 1))


@GROUP.refused(r"x\.nii\.gz: .*cut short|x\.nii\.gz: expected at most", kind="StudyError")
def gzip_bomb_that_says_it_is_large(folder: Path) -> Path:
    head = changed(volume()[:352], dim=(3, 512, 512, 1000, 1, 1, 1, 1))
    return save(folder, "x.nii.gz", gzip.compress(head + bytes(100_000_000), 1))


@GROUP.refused(r"x\.nii\.gz: expected .*; found gzip data that hold no NIfTI volume")
def gzip_of_gzip(folder: Path) -> Path:
    return save(folder, "x.nii.gz", gzip.compress(gzip.compress(volume())))


@GROUP.refused(r"x\.nii\.gz: expected .*; found gzip data that hold no NIfTI volume")
def gzip_of_nothing(folder: Path) -> Path:
    return save(folder, "x.nii.gz", gzip.compress(b""))


@GROUP.refused(r"x\.nii\.gz: ")
def gzip_with_a_wrong_checksum(folder: Path) -> Path:
    raw = bytearray(gzip.compress(volume()))
    raw[-6] ^= 0xFF
    return save(folder, "x.nii.gz", bytes(raw))


@GROUP.refused(r"x\.nii: .*one half of a NIfTI or Analyze .hdr/.img pair; save it as one")
def analyze_header(folder: Path) -> Path:
    return save(folder, "x.nii", volume()[:344] + bytes(4))


@GROUP.refused(r"scan\.hdr: .*one half of a NIfTI")
def header_half_of_a_pair(folder: Path) -> Path:
    nib.save(nib.Nifti1Pair(ARRAY, GOOD), folder / "scan.hdr")
    return folder / "scan.hdr"


@GROUP.refused(r"scan\.img: ")
def image_half_of_a_pair(folder: Path) -> Path:
    nib.save(nib.Nifti1Pair(ARRAY, GOOD), folder / "scan.hdr")
    return folder / "scan.img"


@GROUP.reads(READ_SHAPE)
def nifti_2(folder: Path) -> Path:
    nib.save(nib.Nifti2Image(ARRAY, GOOD), folder / "x.nii")
    return folder / "x.nii"


@GROUP.refused(r"x\.nii: expected at most \d+ voxels|x\.nii: ", kind="LimitError")
def nifti_2_of_sizes_beyond_all(folder: Path) -> Path:
    raw = bytearray(nib.Nifti2Image(ARRAY, GOOD).to_bytes())
    struct.pack_into("<8q", raw, 16, 3, 2**40, 2**40, 2**40, 1, 1, 1, 1)
    return save(folder, "x.nii", bytes(raw))


@GROUP.refused(r"x\.nii: expected at most \d+ voxels", kind="LimitError", code="limit_voxels")
def nifti_2_of_sizes_that_wrap_around_64_bits(folder: Path) -> Path:
    raw = bytearray(nib.Nifti2Image(ARRAY, GOOD).to_bytes())
    struct.pack_into("<8q", raw, 16, 3, 2**32, 2**32, 2, 1, 1, 1, 1)
    return save(folder, "x.nii", bytes(raw))


@GROUP.reads(READ_SHAPE)
def big_endian(folder: Path) -> Path:
    image = nib.Nifti1Image(ARRAY, GOOD, nib.Nifti1Header(endianness=">"))
    nib.save(image, folder / "x.nii")
    return folder / "x.nii"


def _cuts(suffix: str, raw: bytes) -> None:
    for length in (*range(0, 352, 16), 348, 351, 352, 353, len(raw) // 2, len(raw) - 1):
        if suffix == "nii" and 0 < length < 348:
            words = rf"cut\.{suffix}: "
        else:
            words = rf"cut\.{suffix}: .*(cut short|damaged|empty|no NIfTI|pair|unknown kind)"

        def write(folder: Path, part: bytes = raw[:length]) -> Path:
            return save(folder, f"cut.{suffix}", part)

        name = f"{suffix}_cut_at_{length}"
        if name not in GROUP.cases:
            GROUP.add(Case(name, write, refused=words))


_cuts("nii", volume(np.random.default_rng(0).integers(0, 999, SHAPE, dtype=np.int16)))
_cuts("nii.gz", gzip.compress(volume(np.random.default_rng(0).integers(0, 999, SHAPE, dtype=np.int16))))
