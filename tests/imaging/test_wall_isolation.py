"""The process that reads: same study, same errors, bounded time, memory and rights, nothing left behind."""

import ast
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imaging import load_study, load_study_isolated
from imaging.isolate import parent
from imaging.limits import Limits, applied
from imaging.types import SourceKind, Spacing
from runtime.errors import (
    ConfigError,
    LimitError,
    NotEligibleError,
    SpineScribeError,
    StudyError,
)
from tests.imaging.conftest import SeriesWriter, assert_same

T2 = {"EchoTime": 100.0, "RepetitionTime": 3500.0}
GREY = (np.add.outer(np.arange(120) * 2, np.arange(100)) % 256).astype(np.uint8)


def test_a_study_is_the_same_in_either_process(
    series_writer: SeriesWriter, smooth_volume: NDArray[np.uint16], tmp_path: Path
) -> None:
    series_writer.write(smooth_volume, PatientSex="F", PatientAge="047Y", **T2)
    series_writer.write(smooth_volume[:3], number=2, EchoTime=10.0, RepetitionTime=500.0)
    Image.fromarray(GREY).save(tmp_path / "t2.png")
    nib.save(
        nib.Nifti1Image(GREY[np.newaxis].astype(np.int16), np.diag([4.0, 0.6, 0.7, 1])), tmp_path / "t1.nii.gz"
    )
    for path in (series_writer.folder, tmp_path / "t2.png", tmp_path / "t1.nii.gz"):
        assert_same(load_study(path), load_study_isolated(path))
    asked = {"protocol": "cervical", "spacing": Spacing(0.7, 0.6)}
    picture = tmp_path / "t2.png"
    assert_same(load_study(picture, **asked), load_study_isolated(picture, **asked))  # type: ignore[arg-type]


def test_typed_errors_come_back_with_the_same_words_and_code(
    series_writer: SeriesWriter, smooth_volume: NDArray[np.uint16], tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("words")
    series_writer.write(smooth_volume, Modality="CT")
    cases: list[tuple[type[SpineScribeError], Path, dict[str, object]]] = [
        (StudyError, tmp_path / "a.txt", {}),
        (LimitError, tmp_path / "a.txt", {"limits": Limits(file_bytes=2)}),
        (NotEligibleError, series_writer.folder, {}),
        (ConfigError, tmp_path / "a.txt", {"protocol": "knee"}),
    ]
    for kind, path, options in cases:
        found = []
        for load in (load_study, load_study_isolated):
            with pytest.raises(kind) as caught:
                load(path, **options)  # type: ignore[arg-type]
            found.append((type(caught.value), str(caught.value), getattr(caught.value, "code", None)))
        assert found[0] == found[1]
        assert found[0][0] is kind


def test_weights_of_the_environment_go_along(
    child_code: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPINESCRIBE_WEIGHTS", "/somewhere/else")
    child_code(
        "from runtime.settings import load_settings\n"
        "from runtime.errors import StudyError\n"
        "raise StudyError(str(load_settings().weights_dir))"
    )
    with pytest.raises(StudyError, match=r"^/somewhere/else$"):
        load_study_isolated(tmp_path / "x.dcm")


def test_the_limits_of_the_context_go_along(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    with applied(Limits(picture_pixels=99)), pytest.raises(LimitError, match="at most 99 pixels"):
        load_study_isolated(tmp_path / "a.png")
    assert load_study_isolated(tmp_path / "a.png").key


@pytest.fixture
def child_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Return a way to let the child run other lines in place of ``load_study``, after it gave up its rights."""

    def use(code: str) -> None:
        body = (
            "import sys, os, time, ctypes, resource, socket\n"
            "from pathlib import Path\n"
            "import numpy as np\n"
            "import imaging.isolate.child as child\n"
            "def load_study(path, **options):\n"
            + "".join(f"    {line}\n" for line in code.splitlines())
            + "child.load_study = load_study\n"
            "sys.exit(child.main())\n"
        )
        script = tmp_path / "child.py"
        script.write_text(body)
        start = subprocess.Popen

        def spy(command: list[str], **options: object) -> subprocess.Popen[bytes]:
            assert command[-2:] == ["-m", "imaging.isolate.child"]
            return start([*command[:-2], str(script)], **options)  # type: ignore[call-overload,no-any-return]

        monkeypatch.setattr(parent.subprocess, "Popen", spy)

    return use


@pytest.mark.parametrize(
    ("code", "words", "name"),
    [
        ("while True: time.sleep(1)", r"x\.dcm: expected to be read within 1 s.*takes longer", "limit_seconds"),
        ("while True: pass", r"x\.dcm: expected to be read within 1 s.*takes longer", "limit_seconds"),
        ("ctypes.string_at(0)", r"x\.dcm: .*ended the reading process: SIGSEGV", "reader_died"),
        ("os.abort()", r"x\.dcm: .*ended the reading process: SIGABRT", "reader_died"),
        ("os._exit(3)", r"x\.dcm: .*ended the reading process: exit code 3", "reader_died"),
        ("os._exit(0)", r"x\.dcm: .*answer that cannot be understood", "reader_died"),
        ("os.write(0, b'x' * 150_000_000)", r"x\.dcm: .*", "reader_died"),
    ],
)
def test_a_child_that_hangs_dies_or_lies_becomes_an_error_of_the_study(
    child_code: Callable[[str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    words: str,
    name: str,
) -> None:
    if name == "limit_seconds":
        monkeypatch.setattr(parent, "START_SECONDS", 1.0)
    child_code(code)
    started = time.monotonic()
    with pytest.raises(StudyError, match=words) as caught:
        load_study_isolated(tmp_path / "x.dcm", limits=Limits(seconds=1, voxels=1000))
    assert caught.value.code == name
    assert str(tmp_path) not in str(caught.value)
    assert time.monotonic() - started < 15


def test_memory_is_bounded(child_code: Callable[[str], None], tmp_path: Path) -> None:
    child_code("import imaging.load\nimaging.load._load = lambda *a: np.ones((1024, 1024, 1024))\n" + _REAL)
    with pytest.raises(LimitError, match=r"x\.dcm: expected to be read within \d+ bytes of memory") as caught:
        load_study_isolated(tmp_path / "x.dcm", limits=Limits(memory_bytes=1024**3))
    assert caught.value.code == "limit_memory_bytes"


_REAL = "return imaging.load.load_study(path, **options)"


def test_an_unexpected_error_is_a_fault_of_ours_and_its_words_stay_behind(
    child_code: Callable[[str], None], tmp_path: Path
) -> None:
    child_code("raise KeyError('ZZYZX^SECRET')")
    with pytest.raises(
        SpineScribeError, match=r"x\.dcm: an unexpected error of ours .*KeyError at child\.py"
    ) as caught:
        load_study_isolated(tmp_path / "x.dcm")
    assert caught.value.exit_code == 1
    assert "ZZYZX" not in str(caught.value)


_RIGHTS = """
def tries(act):
    try:
        act()
    except OSError as error:
        return error.errno
    return 0
found = [
    tries(lambda: open({folder!r} + '/written', 'w')),
    tries(lambda: os.mkdir({folder!r} + '/made')),
    tries(lambda: os.remove({folder!r} + '/kept')),
    tries(lambda: os.truncate({folder!r} + '/kept', 0)),
    tries(lambda: os.execv('/bin/true', ['true'])),
    tries(lambda: socket.create_connection(('127.0.0.1', 9), timeout=1)),
    tries(lambda: open({folder!r} + '/kept').close()),
]
from runtime.errors import StudyError
raise StudyError(repr(found), code=repr([sorted(os.environ), len(os.listdir('/proc/self/fd')),
    resource.getrlimit(resource.RLIMIT_CORE), os.nice(0), 'torch' in sys.modules]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is of Linux")
def test_the_child_can_read_and_nothing_else(
    child_code: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    version = ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1)  # landlock_create_ruleset: which version
    if version < 4:
        pytest.skip(f"this kernel has Landlock version {version}; 4 and later hold all of it")
    monkeypatch.setenv("SPINESCRIBE_SECRET_KEY", "hush")
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "kept").write_text("content")
    child_code(_RIGHTS.format(folder=str(folder)))
    with pytest.raises(StudyError) as caught:
        load_study_isolated(tmp_path / "x.dcm")
    assert str(caught.value) == repr([13, 13, 13, 13, 13, 13, 0])  # EACCES for all but reading
    names, files, core, nice, has_torch = ast.literal_eval(str(caught.value.code))
    assert "SPINESCRIBE_SECRET_KEY" not in names
    assert files <= 5
    assert (core, has_torch) == ((0, 0), False)
    assert nice >= 5
    assert (folder / "kept").read_text() == "content"
    assert sorted(item.name for item in folder.iterdir()) == ["kept"]


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "private"))
    (tmp_path / "private").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    Image.fromarray(GREY).save(tmp_path / "a.png")
    before = set(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else set()
    load_study_isolated(tmp_path / "a.png")
    with pytest.raises(StudyError):
        load_study_isolated(tmp_path / "none")
    assert list((tmp_path / "private").iterdir()) == []
    if before:
        assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_file_in_the_working_folder_cannot_stand_in_for_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit(9)")
    (tmp_path / "imaging.py").write_text("raise SystemExit(9)")
    Image.fromarray(GREY).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert load_study_isolated(Path("a.png")).source is SourceKind.PICTURE


def test_the_child_loads_neither_torch_nor_the_web() -> None:
    code = (
        "import sys, imaging.isolate.child;"
        "print(sorted({'torch', 'transformers', 'gradio', 'pydicom', 'requests'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


_WRITES = """
import os, sys
from pathlib import Path
from imaging.isolate.sandbox import give_up_rights
def tries(act):
    try:
        act()
    except OSError as error:
        return error.errno
    return 0
root = Path(sys.argv[1])
version = give_up_rights(root / 'own')
print([version > 0, *map(tries, [
    lambda: (root / 'own' / 'file').write_text('x'),
    lambda: (root / 'own' / 'folder').mkdir(),
    lambda: (root / 'outside').write_text('x'),
    lambda: os.execv(str(root / 'own' / 'program'), ['program']),
])])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is of Linux")
def test_a_process_may_keep_one_folder_to_write_in(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    program = tmp_path / "own" / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", _WRITES, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    has_landlock, *told = ast.literal_eval(done.stdout)
    if not has_landlock:
        pytest.skip("this kernel has no Landlock")
    assert told == [0, 0, 13, 13]  # EACCES outside, and for running what was written
    assert not (tmp_path / "outside").exists()
