"""Records from parsed files: unknown keys and wrong types are refused by name."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.errors import ConfigError
from runtime.records import as_record, read_sections, require_positive


@dataclass(frozen=True)
class Shelf:
    """Something with a field of each kind."""

    width: float = 1.0
    books: int = 3
    is_full: bool = False
    authors: tuple[str, ...] = ()
    owner: str | None = None
    limit: int | None = 5


def test_lists_become_tuples_and_whole_numbers_do_for_floats() -> None:
    shelf = as_record(Shelf, {"width": 2, "authors": ["a", "b"], "owner": "c"}, "shelf")
    assert shelf == Shelf(width=2, authors=("a", "b"), owner="c")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"height": 1},
            "shelf: unknown keys height; expected some of authors, books, is_full",
        ),
        ({"books": 1.5}, "shelf: books: expected int, got 1.5"),
        ({"books": True}, "books: expected int, got True"),
        ({"width": True}, "width: expected float, got True"),
        ({"authors": "a"}, "authors: expected tuple, got 'a'"),
        ({"width": None}, "width: expected float, got None"),
        ({"limit": "none"}, "limit: expected int, got 'none'"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        as_record(Shelf, values, "shelf")


def test_none_is_taken_where_the_field_allows_it() -> None:
    assert as_record(Shelf, {"limit": None}, "shelf").limit is None


def test_a_missing_key_without_default_is_named() -> None:
    @dataclass(frozen=True)
    class Lamp:
        watts: float

    with pytest.raises(ConfigError, match=r"lamp: .*watts"):
        as_record(Lamp, {}, "lamp")


def test_sections_left_out_are_empty(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model: {width: 2}\n")
    assert read_sections(file, ("model", "training")) == {"model": {"width": 2}, "training": {}}
    file.write_text("other: 1\n")
    with pytest.raises(ConfigError, match=r"run\.yaml: expected the keys model and training"):
        read_sections(file, ("model", "training"))
    with pytest.raises(ConfigError, match="found nothing"):
        read_sections(tmp_path / "none.yaml", ("model", "training"))


def test_a_field_that_must_be_positive_is_refused_by_name() -> None:
    require_positive(Shelf(), ("width", "books"), "shelf")
    with pytest.raises(ConfigError, match=r"shelf\.books: expected a positive number, got 0"):
        require_positive(Shelf(books=0), ("width", "books"), "shelf")
