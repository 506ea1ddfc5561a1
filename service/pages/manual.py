"""The manual: Markdown files of ``docs/manual``, shown inside the app; HTML in them is not let through.

The same files are read on their own, so links between pages name files (``worklist.md``); here they become
addresses (``/manual/worklist``).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from service.errors import NotFoundError

_IN_THE_TREE = Path(__file__).resolve().parents[2] / "docs" / "manual"
_INSTALLED = Path(sys.prefix) / "share" / "spinescribe" / "manual"
FOLDER = _IN_THE_TREE if _IN_THE_TREE.is_dir() else _INSTALLED
"""Where the files lie: in a checkout, else where the wheel puts them."""

PAGES = (
    "getting-started",
    "worklist",
    "reading-room",
    "sign-off",
    "chat",
    "history-and-research",
    "administration",
    "shortcuts",
    "limits",
)
"""Pages in reading order."""

FIRST = PAGES[0]
_PICTURES = frozenset({".png", ".webp"})


@dataclass(frozen=True)
class ManualLink:
    """A page in the table of contents."""

    name: str
    title: str


@dataclass(frozen=True)
class ManualPage:
    """A page, ready to be shown.

    Attributes:
        name: As in its address.
        title: First heading.
        body: HTML of the rest, made from our own Markdown with raw HTML off.
    """

    name: str
    title: str
    body: str


@cache
def contents() -> tuple[ManualLink, ...]:
    """Return the pages in reading order."""
    return tuple(ManualLink(name, load_page(name).title) for name in PAGES)


@cache
def load_page(name: str) -> ManualPage:
    """Return a page.

    Raises:
        NotFoundError: If the manual has no such page.
    """
    file = FOLDER / f"{name}.md"
    if name not in PAGES or not file.is_file():
        raise NotFoundError("the manual has no such page")
    first, _, rest = file.read_text(encoding="utf-8").partition("\n")
    return ManualPage(name, first.removeprefix("#").strip(), _to_html(rest))


def picture(name: str) -> Path:
    """Return the file of a picture of the manual.

    Raises:
        NotFoundError: If there is none of that name.
    """
    for file in (FOLDER / "images").glob("*"):
        if file.name == name and file.suffix in _PICTURES:
            return file
    raise NotFoundError("the manual has no such picture")


def _to_html(text: str) -> str:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for token in tokens:
        for child in token.children or ():
            _lead_inside(child)
    return str(parser.renderer.render(tokens, parser.options, {}))


def _lead_inside(token: Token) -> None:
    """Turn links and pictures between the files into addresses of the app."""
    if token.type == "link_open":
        target, _, anchor = str(token.attrs.get("href", "")).partition("#")
        if target.removesuffix(".md") in PAGES:
            token.attrs["href"] = f"/manual/{target.removesuffix('.md')}" + (f"#{anchor}" if anchor else "")
    elif token.type == "image":
        token.attrs["src"] = f"/manual/{token.attrs.get('src', '')}"
