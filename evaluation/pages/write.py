"""Everything a run writes into its folder; with the task ``all`` each task has a folder of its own beneath."""

import base64
import csv
import io
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2

from evaluation.options import EvaluationOptions
from evaluation.pages.document import metrics_of, plain_data, provenance_of
from evaluation.pages.plots import Plot, draw_plots
from evaluation.pages.view import Page, build_page
from evaluation.result import Evaluation
from evaluation.run import ALL, EvaluationRun

METRICS, PER_CASE, MARKDOWN, HTML, CARD = (
    "metrics.json", "per_case.csv", "report.md", "report.html", "model_card_section.md",
)  # fmt: skip
PLOTS = "plots"


def write_pages(run: EvaluationRun, folder: Path, options: EvaluationOptions, *, command: str) -> tuple[Path, ...]:
    """Write metrics.json, per_case.csv, report.md, report.html, plots and model_card_section.md.

    With the task ``all`` the folder holds the metrics and pages of all, and ``<task>/`` those of each.

    Args:
        run: What was scored.
        folder: Made when missing; files of these names are replaced.
        options: Of the run.
        command: As it was given, for the pages.

    Returns:
        The files of the folder itself.
    """
    plots = {item.task: draw_plots(item) for item in run.evaluations}
    if run.task == ALL:
        for item in run.evaluations:
            alone = EvaluationRun(item.task, (item,))
            _write(alone, folder / item.task, plots, options, command)
    return _write(run, folder, plots, options, command)


def _write(
    run: EvaluationRun, folder: Path, plots: dict[str, list[Plot]], options: EvaluationOptions, command: str
) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    page = build_page(run, plots, provenance_of(options, command))
    texts = {
        METRICS: json.dumps(metrics_of(run, options, command), indent=2, allow_nan=False, ensure_ascii=False)
        + "\n",
        MARKDOWN: _render("page.md", page),
        HTML: _render("page.html", page),
        CARD: _render("card.md", page),
    }
    if run.task != ALL:
        texts[PER_CASE] = _csv(run.evaluations[0])
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    _write_plots([plot for item in run.evaluations for plot in plots[item.task]], folder / PLOTS)
    return tuple(folder / name for name in texts)


def _write_plots(plots: Sequence[Plot], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for plot in plots:
        (folder / f"{plot.name}.png").write_bytes(plot.png)


def _csv(item: Evaluation) -> str:
    stream = io.StringIO(newline="")
    head = list(dict.fromkeys(key for row in item.per_case for key in row))
    writer = csv.DictWriter(stream, head, restval="", lineterminator="\n")
    writer.writeheader()
    for row in item.per_case:
        writer.writerow({key: "" if value is None else plain_data(value) for key, value in row.items()})
    return stream.getvalue()


def _render(template: str, page: Page) -> str:
    return _environment(template.endswith(".html")).get_template(template).render(page=page)


@cache
def _environment(is_html: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=is_html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode("ascii")
    return environment
