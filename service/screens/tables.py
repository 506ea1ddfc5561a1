"""Rows and small pieces of HTML for the research screens; everything shown is escaped.

Links lead to the service's own API, which checks who asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from anatomy import CONDITIONS, SCALES, Condition
from reporting.burden import burden_details, burden_name

GRADE_HEADERS = ["Level", "Condition", "Grade", "Confidence", "Cannot exclude", "Rests on"]
FIGURE_HEADERS = ["Figure", "Value", "95 % interval"]
CORRECTION_HEADERS = ["Condition", "Accepted", "Edited", "Rejected"]
API = "/api/v1"
NONE = "–"

_NO_FIGURES = {"schema", "task", "patients"}


def grade_rows(document: Mapping[str, Any], *, only_abnormal: bool = False) -> list[list[str]]:
    """Return a row per grade of a reading.json: level, condition, grade, confidence, other grades, reason."""
    return [_grade_row(grade) for grade in document["grades"] if not only_abnormal or _is_notable(grade)]


def _is_notable(grade: Mapping[str, Any]) -> bool:
    step = grade["grade"]
    return step is None or SCALES[grade["scale"]].step(step).is_abnormal or bool(grade["reason"])


def _grade_row(grade: Mapping[str, Any]) -> list[str]:
    words = CONDITIONS[Condition(grade["condition"])].words
    condition = words if grade["side"] is None else f"{grade['side']} {words}"
    level, step = grade["level"] or "study", grade["grade"]
    if step is None:
        return [level, condition, "not assessable", "", "", grade["reason"] or ""]
    scale = SCALES[grade["scale"]]
    probability = grade["probabilities"].get(step)
    others = [scale.step(item).words for item in grade["prediction_set"] if item != step]
    return [
        level,
        condition,
        scale.step(step).words,
        "" if probability is None else f"{probability:.0%}",
        ", ".join(others),
        grade["reason"] or "image",
    ]


def sentences_html(document: Mapping[str, Any]) -> str:
    """Return every sentence of a draft with who wrote it and what the verifier said."""
    parts = ['<div class="sentences">']
    for section in document["report"]["sections"]:
        parts.append(f"<h3>{escape(section['name'].upper())}</h3>")
        for sentence in section["sentences"]:
            kind = "repaired" if sentence["status"] == "repaired" else sentence["source"]
            mark = ", ".join(
                [sentence["status"], sentence["source"], *filter(None, [" ".join(sentence["finding_ids"])])]
            )
            parts.append(f'<p class="{escape(kind)}">{escape(sentence["text"])}<small>{escape(mark)}</small></p>')
    return "".join([*parts, "</div>"])


def summary_html(document: Mapping[str, Any], alert: str | None) -> str:
    """Return what was read, the burden score and the notices of a reading.json."""
    burden = document["burden"]
    score = "not available"
    if burden["score"] is not None:
        details = burden_details(burden["category"], burden["interval"], burden["completeness"])
        score = f"{burden['score']:.0f} of 100 ({details})"
    series = ", ".join(f"{item['id']} {item['role'] or item['plane']}" for item in document["study"]["series"])
    notices = list_html(escape(text) for text in document["notices"])
    shout = "" if alert is None else f'<p class="notice" role="alert">{escape(alert)}</p>'
    return (
        f'{shout}<div class="status summary" role="status"><b>Draft ready.</b> Series: {escape(series)}. '
        f"{burden_name(document['study']['protocol'])}: {escape(score)}.{notices}</div>"
    )


def status_html(message: str, fraction: float | None = None) -> str:
    """Return a line on how it stands, with a bar where there is a share from 0 to 1."""
    percent = None if fraction is None else round(100 * min(max(fraction, 0.0), 1.0))
    bar = "" if percent is None else f'<div class="bar"><div style="width:{percent}%"></div></div>'
    told = message if percent is None else f"{message} ({percent} %)"
    return f'<div class="status" role="status">{escape(told)}{bar}</div>'


def error_html(message: str) -> str:
    """Return an error in one sentence."""
    return f'<div class="status error" role="alert">{escape(message)}</div>'


def link_html(address: str, words: str, *, is_download: bool = False) -> str:
    """Return a link to a path of our own."""
    extra = " download" if is_download else ' target="_top"'
    return f'<a href="{escape(address)}"{extra}>{escape(words)}</a>'


def picture_html(address: str, words: str) -> str:
    """Return a picture at a path of our own."""
    return f'<img src="{escape(address)}" alt="{escape(words)}">'


def list_html(items: Iterable[str]) -> str:
    """Return pieces of HTML as a list."""
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def figure_rows(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Return a row per figure of a metrics.json: name, value, interval."""
    intervals = metrics.get("intervals", {})
    return [
        [name, _number(value), _interval(intervals.get(name))]
        for name, value in metrics.items()
        if name not in _NO_FIGURES and (value is None or isinstance(value, int | float))
    ]


def remarks_html(metrics: Mapping[str, Any]) -> str:
    """Return the failures and notices of a metrics.json, failures first."""
    failures = "".join(error_html(f"failed: {text}") for text in metrics.get("failures", ()))
    notices = [escape(text) for text in metrics.get("notices", ())]
    return failures + (
        f"<details><summary>{len(notices)} notices</summary>{list_html(notices)}</details>" if notices else ""
    )


def evaluation_address(evaluation_id: str, name: str) -> str:
    """Return where the API has a file of an evaluation."""
    return f"{API}/research/evaluations/{quote(evaluation_id)}/files/{quote(name)}"


def plots_html(evaluation_id: str, names: Sequence[str]) -> str:
    """Return the plots among the files of an evaluation."""
    plots = [name for name in sorted(names) if name.startswith("plots/") and name.endswith(".png")]
    shown = (picture_html(evaluation_address(evaluation_id, name), name[6:-4].replace("_", " ")) for name in plots)
    return f'<div class="plots">{"".join(shown)}</div>'


def downloads_html(evaluation_id: str, names: Sequence[str]) -> str:
    """Return links to the files of an evaluation."""
    return list_html(
        link_html(evaluation_address(evaluation_id, name), name, is_download=True) for name in sorted(names)
    )


def correction_rows(counts: Iterable[tuple[str, Mapping[str, int]]]) -> list[list[str | int]]:
    """Return a row per condition: how often its findings were accepted, edited and rejected."""
    return [
        [CONDITIONS[Condition(name)].words, counted["accept"], counted["edit"], counted["reject"]]
        for name, counted in counts
    ]


def _number(value: float | None) -> str:
    if value is None:
        return NONE
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _interval(told: Mapping[str, float | None] | None) -> str:
    if told is None or told["low"] is None or told["high"] is None:
        return NONE
    return f"{told['low']:.3f} to {told['high']:.3f}"
