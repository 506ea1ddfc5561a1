"""Rows and small pieces of HTML for the reading screen; everything shown is escaped."""

from html import escape

from anatomy import CONDITIONS, SCALES
from grading.types import Findings, Grade, GradeStatus
from pipeline import Reading
from reporting.burden import burden_details
from reporting.types import Report, SentenceSource, SentenceStatus
from runtime.progress import Progress

GRADE_HEADERS = ["Level", "Condition", "Grade", "Confidence", "Cannot exclude", "Rests on"]


def grade_rows(findings: Findings, *, only_abnormal: bool = False) -> list[list[str]]:
    """Return a row per grade: level, condition, grade, confidence, other grades of the set, what it rests on."""
    return [
        _grade_row(grade) for grade in findings.grades if not only_abnormal or _is_abnormal(grade) or grade.reason
    ]


def _is_abnormal(grade: Grade) -> bool:
    return grade.grade is not None and SCALES[grade.scale].step(grade.grade).is_abnormal


def _grade_row(grade: Grade) -> list[str]:
    words = CONDITIONS[grade.condition].words
    condition = words if grade.side is None else f"{grade.side.value} {words}"
    level = grade.level or "study"
    if grade.status is GradeStatus.NOT_ASSESSABLE or grade.grade is None:
        return [level, condition, "not assessable", "", "", grade.reason or ""]
    step = SCALES[grade.scale].step(grade.grade)
    probability = grade.probabilities.get(grade.grade)
    others = [SCALES[grade.scale].step(item).words for item in grade.prediction_set if item != grade.grade]
    return [
        level,
        condition,
        step.words,
        "" if probability is None else f"{probability:.0%}",
        ", ".join(others),
        grade.reason or "image",
    ]


def report_text(report: Report) -> str:
    """Return the report as plain text to edit: a heading a section, a sentence a line."""
    blocks = [
        "\n".join([section.name.upper(), *(sentence.text for sentence in section.sentences)])
        for section in report.sections
    ]
    return "\n\n".join(blocks)


def sentences_html(report: Report) -> str:
    """Return every sentence with who wrote it and what the verifier said."""
    parts = ['<div class="sentences">']
    for section in report.sections:
        parts.append(f"<h4>{escape(section.name.upper())}</h4>")
        for sentence in section.sentences:
            repaired = sentence.status is SentenceStatus.REPAIRED
            kind = "repaired" if repaired else "composer" if sentence.source is SentenceSource.COMPOSER else "vlm"
            mark = f"{sentence.status.value}, {sentence.source.value}"
            if sentence.finding_ids:
                mark += ", " + " ".join(sentence.finding_ids)
            parts.append(f'<p class="{kind}">{escape(sentence.text)}<small>{escape(mark)}</small></p>')
    return "".join([*parts, "</div>"])


def progress_html(progress: Progress) -> str:
    """Return the progress line with its bar."""
    percent = round(100 * progress.fraction)
    return (
        f'<div class="status" role="status">{escape(progress.message)} ({percent} %)'
        f'<div class="bar"><div style="width:{percent}%"></div></div></div>'
    )


def error_html(message: str) -> str:
    """Return an error in one sentence."""
    return f'<div class="status error" role="alert">{escape(message)}</div>'


def summary_html(reading: Reading) -> str:
    """Return what was read, the burden score and all notices."""
    burden = reading.findings.burden
    details = escape(burden_details(burden.category, burden.interval, burden.completeness))
    score = "not available" if burden.score is None else f"{burden.score:.0f} of 100 ({details})"
    series = ", ".join(f"{item.id} {item.role or item.plane.value}" for item in reading.study.series)
    seconds = sum(reading.timings_s.values())
    notices = "".join(f"<li>{escape(text)}</li>" for text in reading.notices if text not in reading.alerts)
    alert = "" if reading.alert is None else f'<p class="notice" role="alert">{escape(reading.alert)}</p>'
    return (
        f'{alert}<div class="status summary" role="status"><b>Draft ready</b> in {seconds:.1f} s. '
        f"Series: {escape(series)}. Degeneration score: {score}.<ul>{notices}</ul></div>"
    )
