"""Five held-out real studies and a phantom, rendered to be looked at: image, overlay, findings, draft, verdicts.

    python -m benchmarks.writer.showcase [--patients 5] [--out runs/showcase]

SPIDER patients of the held-out fold (middle T2 slice, spacing where the header is to be believed) and one phantom
of each body region go through the whole pipeline. Each gets a folder with ``slice.png``, the files of
``spinescribe read`` and ``sentences.md``: every sentence with who wrote it, the verifier's verdict, what was
drafted before a repair and the findings it rests on, beside the reference gradings. ``index.html`` shows all on
one page. The folder is ignored by git: pictures of real slices are never committed.
"""

import argparse
import html
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grading.training.spider import read_rows
from imaging.phantom import build_phantom, write_phantom_study
from imaging.types import Spacing
from pipeline import Reader, Reading, ReadOptions, write_reading
from reporting.types import Report
from runtime.folds import spider_folds
from runtime.settings import load_settings
from vlm.training.real_findings import load_gradings

PHANTOM_SEED = 930_001
REGIONS = ("lumbar", "cervical", "sacroiliac")


@dataclass(frozen=True)
class Shown:
    """A study to show.

    Attributes:
        name: Of its folder.
        path: What is read.
        options: How.
        reference: Known truth in words.
    """

    name: str
    path: Path
    options: ReadOptions
    reference: str


def real_studies(fold: int, count: int) -> Iterator[Shown]:
    """Yield the first so many held-out patients with a T2 middle slice."""
    folder = load_settings().data_dir / "spider"
    gradings, folds = load_gradings(folder.parent), spider_folds()
    rows = [row for row in read_rows(folder / "midsagittal.csv") if row["sequence"] == "t2"]
    held_out = [row for row in rows if folds[int(row["patient"])] == fold]
    for row in held_out[:count]:
        trusted = row["spacing_trusted"] == "yes"
        spacing = Spacing(float(row["row_spacing_mm"]), float(row["col_spacing_mm"])) if trusted else None
        steps = gradings[int(row["patient"])]
        lines = [
            f"- {level}: {', '.join(f'{condition.value} {step}' for condition, step in sorted(found.items()))}"
            for level, found in sorted(steps.items())
        ]
        options = ReadOptions(protocol="lumbar", spacing=spacing)
        yield Shown(f"patient_{row['patient']}", folder / "midsagittal" / row["file"], options, "\n".join(lines))


def phantom_studies(out: Path) -> Iterator[Shown]:
    """Make and yield one phantom of each body region."""
    for region in REGIONS:
        made = out / f"phantom_{region}" / "made"
        write_phantom_study(build_phantom(region, seed=PHANTOM_SEED), made)
        truth = (made / "reference_report.md").read_text(encoding="utf-8")
        yield Shown(f"phantom_{region}", made / "study.zip", ReadOptions(protocol=region), truth)


def show(study: Shown, reader: Reader, out: Path) -> str:
    """Read one study, write its folder, and return its part of the page."""
    reading = next(event for event in reader.read(study.path, study.options) if isinstance(event, Reading))
    folder = out / study.name
    write_reading(reading, folder)
    if study.path.suffix == ".png":
        shutil.copyfile(study.path, folder / "slice.png")
    table = sentence_table(reading.report)
    (folder / "sentences.md").write_text(f"{table}\n\n## Reference\n{study.reference}\n", encoding="utf-8")
    pictures = [name for name in ("slice.png", "overlay.png") if (folder / name).is_file()]
    images = "".join(f'<img src="{study.name}/{name}" style="height:420px"> ' for name in pictures)
    texts = "".join(f"<pre>{html.escape(text)}</pre>" for text in (table, study.reference))
    return f"<h2>{study.name}</h2>{images}{texts}"


def sentence_table(report: Report) -> str:
    """Return every sentence of a report with its source, verdict, findings and what it replaced, as Markdown."""
    lines = ["| section | sentence | by | verdict | rests on | drafted as |", "|---|---|---|---|---|---|"]
    for section in report.sections:
        for item in section.sentences:
            before = item.replaced_text or ""
            rests = " ".join(item.finding_ids)
            cells = (section.name, item.text, item.source.value, item.status.value, rests, before)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Render all studies and the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=5)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/showcase"))
    options = parser.parse_args()
    reader, parts = Reader.load(), []
    for study in (*real_studies(options.fold, options.patients), *phantom_studies(options.out)):
        parts.append(show(study, reader, options.out))
        print(f"{study.name}: {options.out / study.name}")
    page = "<!doctype html><meta charset=utf-8><title>Showcase</title>" + "".join(parts)
    (options.out / "index.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
