"""docs/deployment.md: its commands are ours, its files are there, its settings are read."""

import re

from cli.main import build_parser
from tests.deployment.dockerfile import ROOT

TEXT = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")


def test_every_file_it_names_is_there() -> None:
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", TEXT)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    named = re.findall(r"deployment/[\w./-]+\w", TEXT)
    made = {"deployment/secrets", "deployment/secrets/database_password.txt", "deployment/secrets/secret_key.txt"}
    assert [name for name in named if name not in made and not (ROOT / name).exists()] == []


def test_every_command_is_one_of_ours() -> None:
    known = build_parser().format_help()
    named = set(re.findall(r"spinescribe (backup|restore|check-store|audit|user|serve|worker)\b", TEXT))
    assert {"backup", "restore", "check-store", "audit", "user"} <= named
    assert all(re.search(rf"^    {name}\b", known, flags=re.MULTILINE) for name in named)


def test_every_setting_is_read() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8") for room in ("service", "runtime") for path in (ROOT / room).rglob("*.py")
    )
    table = TEXT[TEXT.index("## Settings") : TEXT.index("## TLS")]
    names = re.findall(r"`(SPINESCRIBE_\w+)`", table)
    assert len(names) > 12
    assert [name for name in names if f'"{name}"' not in sources] == []
