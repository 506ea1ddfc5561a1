"""A protocol that was asked for is followed, but never silently against the words of the input."""

import pytest

from imaging.body_region import choose_protocol
from runtime.errors import NotEligibleError


@pytest.mark.parametrize(
    ("words", "part"),
    [("knee", "a part of the body that is not the spine"), ("mri thoracic spine", "the thoracic spine")],
)
def test_a_protocol_that_was_asked_for_is_read_with_a_notice(words: str, part: str) -> None:
    with pytest.raises(NotEligibleError, match=f"shows {part}; expected: .*lumbar.* Name the protocol if"):
        choose_protocol("auto", words)
    name, notices = choose_protocol("lumbar", words)
    assert name == "lumbar"
    assert notices == (f"Read with the lumbar protocol as asked, although words of the input name {part}.",)


def test_words_that_agree_give_no_notice() -> None:
    assert choose_protocol("lumbar", "lspine mri lumbar spine") == ("lumbar", ())
    assert choose_protocol("lumbar", "mri brain and lumbar spine") == ("lumbar", ())
    assert choose_protocol("lumbar", "") == ("lumbar", ())


def test_a_file_name_does_not_tell_another_part() -> None:
    assert choose_protocol("lumbar", "knee", is_file_name=True) == ("lumbar", ())
