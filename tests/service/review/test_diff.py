"""The word diff: both texts can be told from it, whatever they are."""

from hypothesis import given, settings
from hypothesis import strategies as st

from service.review.diff import WordOp, compare_words

_SENTENCES = st.lists(st.text(alphabet="ab .", min_size=1, max_size=12), max_size=6)


def test_what_changed_in_a_sentence_is_told_by_word() -> None:
    changes = compare_words(["A moderate stenosis.", "No bulge."], ["A severe stenosis.", "No bulge."])
    assert [(change.op.value, change.text) for change in changes] == [
        ("equal", "A "), ("delete", "moderate"), ("insert", "severe"), ("equal", " stenosis.\nNo bulge.\n"),
    ]  # fmt: skip


@settings(max_examples=100)
@given(before=_SENTENCES, after=_SENTENCES)
def test_both_texts_can_be_read_back(before: list[str], after: list[str]) -> None:
    changes = compare_words(before, after)
    old = "".join(change.text for change in changes if change.op is not WordOp.INSERT)
    new = "".join(change.text for change in changes if change.op is not WordOp.DELETE)
    assert old == "".join(f"{text}\n" for text in before)
    assert new == "".join(f"{text}\n" for text in after)
