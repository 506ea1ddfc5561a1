"""Write the worked examples of docs/spinefact.md: `python docs/make_spinefact.py` (`--check` only compares).

The examples are `evaluation/spinefact/examples.yaml`, which the tests run.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/spinefact.md"
EXAMPLES = ROOT / "evaluation/spinefact/examples.yaml"
START, END = "<!-- examples: made by docs/make_spinefact.py -->\n", "<!-- end of examples -->"


def examples() -> str:
    """Return all examples as Markdown."""
    rows = yaml.safe_load(EXAMPLES.read_text(encoding="utf-8"))["examples"]
    return "\n".join(_example(number, row) for number, row in enumerate(rows, start=1)) + "\n"


def _example(number: int, row: dict[str, Any]) -> str:
    lines = [f"**{number}. {row['title']}**", "", f"- report: {row['prediction']}"]
    lines += [f"- reference: {text}" for text in row["references"]]
    lines += [f"- `{outcome}`" for outcome in row["outcomes"]]
    figures = ", ".join(f"`{name}` {_figure(value)}" for name, value in row["figures"].items())
    return "\n".join([*lines, f"- {figures}", ""])


def _figure(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3g}"


def main() -> int:
    """Rewrite the examples, or with ``--check`` return 1 when they are out of date."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START)
    fresh = before + START + examples() + END + rest.split(END)[1]
    if "--check" in sys.argv:
        return int(fresh != text)
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
