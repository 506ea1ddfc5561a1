"""Sound files with bytes changed, inserted, removed or doubled: a typed error or a sound study, and nothing else.

The fast profile is the same on every run. The thorough one, with new examples every time:
``pytest -m slow tests/imaging/test_wall_mutation.py``.
"""

import gzip
import io
import logging
import os
import signal
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from imaging import load_study
from imaging.limits import Limits
from imaging.types import Study
from runtime.errors import NotEligibleError, StudyError
from tests.imaging.corpus import SECRETS
from tests.imaging.corpus.dicom import deflated
from tests.imaging.corpus.instances import enhanced, instance, sound_slice, to_bytes
from tests.imaging.corpus.pictures import GREY
from tests.imaging.corpus.volumes import volume

LIMITS = Limits(voxels=2**22, picture_pixels=2**22, elements=20_000, zip_ratio_from_bytes=2**22, file_bytes=2**26)
"""Small, so that a mutated size is refused rather than filled."""

MAX_SECONDS = 10.0
MAX_MESSAGE = 900


def _compressed(syntax: str) -> bytes:
    # Large enough for the wavelet levels of JPEG 2000.
    pixels = (np.add.outer(np.arange(64) * 9, np.arange(64) * 5) % 997).astype("<u2")
    dataset = instance(0, Rows=64, Columns=64, PixelData=pixels.tobytes())
    dataset.compress(syntax, generate_instance_uid=False)
    return to_bytes(dataset)


def _implicit() -> bytes:
    dataset = instance(0)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return to_bytes(dataset)


def _picture(form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GREY[:40, :30]).save(buffer, form, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("0.dcm", sound_slice(0))
        target.writestr("1.dcm", sound_slice(1))
    return buffer.getvalue()


SEEDS: dict[str, Callable[[], bytes]] = {
    "classic.dcm": lambda: sound_slice(0),
    "implicit.dcm": _implicit,
    "enhanced.dcm": lambda: to_bytes(enhanced()),
    "deflated.dcm": deflated,
    "rle.dcm": lambda: _compressed(RLELossless),
    "jpegls.dcm": lambda: _compressed(JPEGLSLossless),
    "j2k.dcm": lambda: _compressed(JPEG2000Lossless),
    "study.zip": _archive,
    "t2.nii": lambda: volume(np.arange(20 * 24 * 3, dtype=np.int16).reshape(3, 20, 24)),
    "t2.nii.gz": lambda: gzip.compress(volume(np.arange(20 * 24 * 3, dtype=np.int16).reshape(3, 20, 24)), mtime=0),
    "t2.png": lambda: _picture("PNG"),
    "t2.tif": lambda: _picture("TIFF", compression="tiff_lzw"),
    "t2.jpg": lambda: _picture("JPEG"),
}


DECODED_IN_C = ("rle.dcm", "jpegls.dcm", "j2k.dcm")


@lru_cache
def seed(name: str) -> bytes:
    return SEEDS[name]()


_SPICE = st.sampled_from(
    [b"\xff\xff\xff\xff", b"\xfe\xff\xff\xff", b"\x00\x00\x00\x80", bytes(4), b"\xfe\xff\x00\xe0", b"\xff" * 16]
) | st.binary(min_size=1, max_size=8)  # fmt: skip
_WHERE = st.floats(0, 1, exclude_max=True)
Mutation = tuple[str, float, int, bytes]
MUTATIONS = st.lists(
    st.tuples(st.sampled_from(["set", "insert", "delete", "double", "flip"]), _WHERE, st.integers(1, 64), _SPICE),
    min_size=1,
    max_size=4,
)


def mutated(raw: bytes, mutations: list[Mutation]) -> bytes:
    """Return the bytes after each mutation in turn; a place is a share of the length."""
    for kind, where, length, spice in mutations:
        place = int(where * len(raw))
        if kind == "set":
            raw = raw[:place] + spice + raw[place + len(spice) :]
        elif kind == "insert":
            raw = raw[:place] + spice + raw[place:]
        elif kind == "delete":
            raw = raw[:place] + raw[place + length :]
        elif kind == "double":
            raw = raw[: place + length] + raw[place : place + length] * (1 + spice[0] % 3) + raw[place + length :]
        elif raw:
            raw = raw[:place] + bytes([raw[place] ^ (1 << length % 8)]) + raw[place + 1 :]
    return raw


def check(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Read a file; fail on anything but a typed error of one line, or a sound study, both without identity."""
    caplog.clear()
    started = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            spoken = _sound(load_study(file, limits=LIMITS))
        except (StudyError, NotEligibleError) as error:
            spoken = str(error)
            assert "\n" not in spoken
            assert len(spoken) < MAX_MESSAGE, spoken
            assert str(file.parent) not in spoken
    assert time.monotonic() - started < MAX_SECONDS
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert not [secret for secret in SECRETS if secret in spoken or secret in logged]


def _sound(study: Study) -> str:
    """Return the words of a study after making sure that its numbers are numbers."""
    assert study.series
    for series in study.series:
        assert np.isfinite(series.volume.array).all()
        assert series.volume.array.dtype == np.float32
        assert min(series.volume.shape) >= 1
        if series.volume.affine is not None:
            assert np.isfinite(series.volume.affine).all()
            assert abs(np.linalg.det(series.volume.affine[:3, :3])) > 0
    words = [*study.notices, *(reason for series in study.series for reason in series.reasons)]
    return " ".join([*words, repr([series.header for series in study.series])])


def check_in_child(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Check in a forked process: a decoder in C that dies takes only that along.

    Such a death is what ``load_study_isolated`` turns into a ``StudyError`` (test_wall_isolation.py).
    """
    said = file.with_suffix(".failed")
    child = os.fork()
    if child == 0:
        signal.alarm(round(MAX_SECONDS))
        try:
            check(file, caplog)
            os._exit(0)
        except BaseException:
            said.write_text(traceback.format_exc())
            os._exit(1)
    _, status = os.waitpid(child, 0)
    died_of = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    assert died_of in (0, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS), f"signal {died_of}"
    assert died_of or os.WEXITSTATUS(status) == 0, said.read_text()


def _run(name: str, folder: Path, caplog: pytest.LogCaptureFixture, examples: int, *, is_random: bool) -> None:
    raw = seed(name)
    file = folder / name

    @settings(
        max_examples=examples,
        derandomize=not is_random,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(MUTATIONS)
    def mutate(mutations: list[Mutation]) -> None:
        file.write_bytes(mutated(raw, mutations))
        (check_in_child if name in DECODED_IN_C else check)(file, caplog)

    mutate()


@pytest.mark.parametrize("name", SEEDS)
def test_the_seed_is_sound(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(seed(name))
    assert _sound(load_study(tmp_path / name, limits=LIMITS))


@pytest.mark.parametrize("name", SEEDS)
def test_mutated_files_end_in_a_typed_error_or_a_sound_study(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _run(name, tmp_path, caplog, 60, is_random=False)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", SEEDS)
def test_thousands_of_mutated_files(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _run(name, tmp_path, caplog, 3000, is_random=True)
