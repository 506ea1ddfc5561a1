"""The ``eligibility:`` block of a protocol: strict keys, sensible values, and limits that mean what they say."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from anatomy.eligibility import Limit, parse_eligibility
from anatomy.protocol import load_protocol, protocol_names

PROTOCOLS = Path(__file__).parents[2] / "configs" / "protocols"


def block() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load((PROTOCOLS / "lumbar.yaml").read_text(encoding="utf-8"))
    return dict(table["eligibility"])


def test_a_limit_warns_before_it_refuses_and_its_bounds_pass() -> None:
    least, most = Limit(190, 110, is_least=True), Limit(1.2, 2.0, is_least=False)
    assert [least.refuses(value) for value in (109.9, 110, 190)] == [True, False, False]
    assert [least.is_marginal(value) for value in (110, 189.9, 190)] == [True, True, False]
    assert [most.refuses(value) for value in (2.1, 2.0, 1.0)] == [True, False, False]
    assert [most.is_marginal(value) for value in (2.0, 1.3, 1.2)] == [True, True, False]


@pytest.mark.parametrize("name", protocol_names())
def test_every_protocol_has_rules(name: str) -> None:
    rules = load_protocol(name).eligibility
    assert rules.along_mm.is_least
    assert not rules.pixel_mm.is_least
    assert rules.min_side_px >= 64


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("along_mm", None, "missing keys: along_mm"),
        ("halo", 3, "unknown or missing keys: halo"),
        ("along_mm", 110, "along_mm: expected marginal and refuse"),
        ("along_mm", {"marginal": 1}, "along_mm: expected marginal and refuse"),
        ("along_mm", {"marginal": "far", "refuse": 1}, "along_mm: expected marginal and refuse, two numbers"),
        ("along_mm", {"marginal": 100, "refuse": 110}, "along_mm: what is marginal must not be refused"),
        ("noise", {"marginal": 0.2, "refuse": 0.1}, "noise: what is marginal must not be refused"),
        ("min_side_px", 0, "min_side_px: expected a count"),
        ("min_side_px", True, "min_side_px: expected a count"),
        ("allows_contrast_only", "no", "allows_contrast_only: expected true or false"),
    ],
)
def test_a_wrong_block_is_refused_naming_the_key(key: str, value: object, words: str) -> None:
    table = block()
    if value is None:
        del table[key]
    else:
        table[key] = value
    with pytest.raises(ValueError, match=words):
        parse_eligibility(table)


def test_no_block_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown or missing keys"):
        parse_eligibility([])  # type: ignore[arg-type]
