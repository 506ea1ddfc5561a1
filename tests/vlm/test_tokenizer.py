"""The tokenizer: any text comes back, levels and conditions are one token, digits are single."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anatomy import DISC_LEVELS, Condition
from runtime.errors import ConfigError
from vlm.tokenizer import REGION, SPECIAL_TOKENS, ReportTokenizer, load_tokenizer


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.text(max_size=60).filter(lambda text: not any(token in text for token in SPECIAL_TOKENS)))
def test_any_text_comes_back_exactly(tokenizer: ReportTokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("level", DISC_LEVELS)
def test_a_level_is_one_token_with_and_without_a_space(tokenizer: ReportTokenizer, level: str) -> None:
    assert len(tokenizer.encode(level)) == 1
    assert len(tokenizer.encode(f"at {level}:")) == len(tokenizer.encode("at")) + 2


@pytest.mark.parametrize("condition", list(Condition))
def test_a_serialised_condition_is_one_token(tokenizer: ReportTokenizer, condition: Condition) -> None:
    assert len(tokenizer.encode(f" {condition.value}")) == 1


def test_digits_are_single_tokens(tokenizer: ReportTokenizer) -> None:
    pieces = [tokenizer.decode([number]) for number in tokenizer.encode("10.9 mm")]
    assert pieces[:4] == ["1", "0", ".", "9"]


def test_special_tokens_have_fixed_ids_and_leave_no_text(tokenizer: ReportTokenizer) -> None:
    assert [tokenizer.special(token) for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))
    assert tokenizer.encode(REGION * 3) == [tokenizer.special(REGION)] * 3
    assert tokenizer.decode(tokenizer.encode("<bos>disc<eos>")) == "disc"


def test_it_survives_the_disk(tokenizer: ReportTokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    again = load_tokenizer(tmp_path / "tokenizer.json")
    text = "L4-L5: canal AP diameter 9.8 mm."
    assert again.encode(text) == tokenizer.encode(text)
    assert len(again) == len(tokenizer)


def test_missing_parts_are_named(tokenizer: ReportTokenizer, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected absent\.json"):
        load_tokenizer(tmp_path / "absent.json")
    with pytest.raises(ConfigError, match="special token '<moon>' is missing"):
        tokenizer.special("<moon>")
