"""The worked examples of docs/spinefact.md come out as the page says, and the page shows them."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation.spinefact import Pair, SpineFact, best_comparison
from reporting.types import Fact

ROOT = Path(__file__).parents[3]
EXAMPLES = yaml.safe_load((ROOT / "evaluation/spinefact/examples.yaml").read_text(encoding="utf-8"))["examples"]


def fact_words(fact: Fact | None) -> str:
    if fact is None:
        return "-"
    lead = "no" if fact.negated else "possible" if fact.uncertain else None
    side = None if fact.side is None else fact.side.value
    return " ".join(part for part in (lead, fact.level, side, fact.condition.value, fact.grade) if part)


def pair_words(pair: Pair) -> str:
    return f"{pair.outcome.value}: {fact_words(pair.stated)} | {fact_words(pair.referenced)}"


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: row["title"])
def test_a_worked_example(row: dict[str, Any]) -> None:
    comparison, _ = best_comparison(row["prediction"], row["references"])
    assert sorted(pair_words(pair) for pair in comparison.pairs) == sorted(row["outcomes"])
    figures = SpineFact().score([row["prediction"]], [row["references"]]).corpus
    for name, value in row["figures"].items():
        found = figures[f"spinefact_{name}"]
        assert math.isnan(found) if value is None else found == pytest.approx(value, abs=1e-4), name


def test_the_page_shows_the_examples() -> None:
    done = subprocess.run([sys.executable, "docs/make_spinefact.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, "run python docs/make_spinefact.py"


def test_the_code_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/spinefact.md").read_text(encoding="utf-8")
    exec(page.split("```python\n")[1].split("```")[0], {})
    assert capsys.readouterr().out.startswith("0.0\n(Pair(")
