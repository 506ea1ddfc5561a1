"""Each named limit, set low and passed: the error carries its name; below it the same input is read."""

import threading
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from imaging import load_study, load_study_isolated
from imaging.limits import DEFAULT, Limits, applied, current
from runtime.errors import ConfigError, LimitError, StudyError
from runtime.names import MAX_SHOWN, shown_name
from tests.imaging.corpus.archives import NAMES, archive
from tests.imaging.corpus.dicom import deflated
from tests.imaging.corpus.instances import element, enhanced, series_files, to_bytes
from tests.imaging.corpus.pictures import GREY, encoded


def _folder(folder: Path) -> Path:
    series_files(folder / "a" / "b")
    return folder


def _zip(folder: Path) -> Path:
    (folder / "a.zip").write_bytes(archive(NAMES))
    return folder / "a.zip"


def _picture(folder: Path) -> Path:
    from PIL import Image

    (folder / "a.png").write_bytes(encoded(Image.fromarray(GREY), "PNG"))
    return folder / "a.png"


def _enhanced(folder: Path) -> Path:
    (folder / "a.dcm").write_bytes(to_bytes(enhanced()))
    return folder / "a.dcm"


def _deflated(folder: Path) -> Path:
    (folder / "a.dcm").write_bytes(deflated(element(0x00271010, "OB", bytes(100_000))))
    return folder / "a.dcm"


@pytest.mark.parametrize(
    ("name", "value", "write"),
    [
        ("file_bytes", 500, _folder),
        ("file_bytes", 500, _zip),
        ("study_bytes", 3000, _folder),
        ("study_bytes", 3000, _zip),
        ("entries", 2, _folder),
        ("entries", 2, _zip),
        ("folder_depth", 1, _folder),
        ("voxels", 1000, _folder),
        ("voxels", 1000, _zip),
        ("voxels", 1000, _enhanced),
        ("picture_pixels", 1000, _picture),
        ("zip_ratio", 1, _zip),
        ("zip_ratio", 10, _deflated),
        ("sequence_depth", 1, _enhanced),
        ("elements", 60, _enhanced),
        ("header_bytes", 400, _enhanced),
    ],
)
def test_each_limit_has_its_name(name: str, value: int, write: Callable[[Path], Path], tmp_path: Path) -> None:
    path = write(tmp_path)
    low = Limits(**{"zip_ratio_from_bytes": 1000, name: value})
    with pytest.raises(LimitError, match="expected") as caught:
        load_study(path, limits=low)
    assert caught.value.code == f"limit_{name}"
    assert caught.value.exit_code == 2
    assert isinstance(caught.value, StudyError)
    assert load_study(path).series


def test_time_has_its_name(tmp_path: Path) -> None:
    """A second of computing is not enough to look at this many files."""
    for number in range(12):
        series_files(tmp_path / "study" / str(number))
    with pytest.raises(LimitError, match=r"study: expected to be read within 0\.01 s") as caught:
        _isolated_without_start(tmp_path / "study")
    assert caught.value.code == "limit_seconds"


def _isolated_without_start(path: Path) -> None:
    from imaging.isolate import parent

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parent, "START_SECONDS", 0.0)
        load_study_isolated(path, limits=Limits(seconds=0.01))


def test_memory_has_its_name(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "a.png").write_bytes(encoded(Image.new("L", (8000, 8000), 50), "PNG"))
    with pytest.raises(LimitError, match=r"a\.png: expected to be read within \d+ bytes of memory") as caught:
        load_study_isolated(tmp_path / "a.png", limits=Limits(memory_bytes=450 * 1024**2))
    assert caught.value.code == "limit_memory_bytes"


def test_limits_of_a_block_end_with_it_and_stay_in_their_thread() -> None:
    seen: list[Limits] = []
    with applied(Limits(voxels=5)) as held:
        assert current() is held
        with applied(None):
            assert current().voxels == 5
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
    assert current() is DEFAULT
    assert seen == [DEFAULT]
    with pytest.raises(RuntimeError, match="inside"), applied(Limits(voxels=5)):
        raise RuntimeError("inside")
    assert current() is DEFAULT


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"expected {name} above 0"):
        Limits(**{name: 0})


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("t2.dcm", "t2.dcm"),
        ("Wirbelsäule.png", "Wirbelsäule.png"),
        ("a\nb\x1b[2J\udcff\u202e.dcm", "a?b?[2J??.dcm"),
        ("", "(no name)"),
    ],
)
def test_names_are_shown_on_one_line(name: str, shown: str) -> None:
    assert shown_name(name) == shown


def test_long_names_lose_their_middle() -> None:
    shown = shown_name("a" * 500 + ".dcm")
    assert len(shown) == MAX_SHOWN
    assert shown.startswith("aaa")
    assert shown.endswith("aaa.dcm")
    assert "..." in shown
