"""Write the tree of README.md from the files themselves: `python docs/make_tree.py` (`--check` only compares).

The phrase beside a file is the first sentence of its docstring or first comment.
"""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- tree: made by docs/make_tree.py -->\n```\n", "```\n<!-- end of tree -->"
ROOMS = (
    "app.py", "cli", "pipeline", "anatomy", "runtime", "imaging", "segmentation", "grading", "reporting", "vlm",
    "evaluation", "service", "deployment", "configs", "weights", "benchmarks", "docs", "tests",
)  # fmt: skip
_SHALLOW = {"configs", "deployment", "docs", "tests", "weights"}
_WIDTH = 112


def tracked_files() -> list[Path]:
    """Return the files git knows, and those it does not ignore."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return sorted(Path(line) for line in listing.splitlines() if (ROOT / line).is_file())


def phrase(file: Path) -> str:
    """Return the first sentence of a Python file's docstring, without its full stop."""
    text = ast.get_docstring(ast.parse((ROOT / file).read_text(encoding="utf-8"))) or ""
    first = text.split("\n\n")[0].replace("\n", " ")
    for stop in (". ", ": `"):
        first = first.split(stop)[0]
    return first.rstrip(".")


def tree() -> str:
    """Return the tree, one line a file."""
    files = tracked_files()
    lines: list[str] = []
    for room in ROOMS:
        own = [file for file in files if file.parts[0] == room]
        if room in _SHALLOW:
            lines += _folders(room, own)
        else:
            lines += _files(room, [file for file in own if file.suffix == ".py"])
    return "\n".join(lines) + "\n"


def _files(room: str, files: list[Path]) -> list[str]:
    if files == [Path(room)]:
        return [_line(0, room, phrase(files[0]))]
    lines = []
    for folder in sorted({file.parent for file in files}, key=lambda path: path.parts):
        init = folder / "__init__.py"
        depth = len(folder.parts) - 1
        lines.append(_line(depth, f"{folder.name}/", phrase(init) if init in files else ""))
        here = [file for file in files if file.parent == folder and file.name != "__init__.py"]
        lines += [_line(depth + 1, file.name, phrase(file)) for file in here]
    return lines


def _folders(room: str, files: list[Path]) -> list[str]:
    """Return a room of data: its folders and how many files each holds."""
    lines = [f"{room}/"]
    for name in sorted({file.parts[1] for file in files}):
        inside = [file for file in files if file.parts[1] == name]
        is_folder = len(inside[0].parts) > 2
        lines.append(f"  {name}/ ({len(inside)} files)" if is_folder else f"  {name}")
    return lines


def _line(depth: int, name: str, words: str) -> str:
    line = f"{'  ' * depth}{name:<22} {words}".rstrip()
    return line if len(line) <= _WIDTH else line[: _WIDTH - 3].rstrip() + "..."


def main() -> int:
    """Rewrite the tree, or with ``--check`` return 1 when it is out of date."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    fresh = before + START + tree() + END + after
    if "--check" in sys.argv:
        return int(fresh != text)
    readme.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
