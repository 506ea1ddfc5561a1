"""A reading on disk: reading.json, report.md, overlay.png and the label maps, all or none.

Files are written into a temporary folder beside the target and moved in one by one, reading.json last: where it
lies, the others are whole.
"""

from __future__ import annotations

import html
import json
import os
import re
import tempfile
from pathlib import Path

from pipeline.attention import pack_attention, render_attention
from pipeline.document import ATTENTION_MAPS, ATTENTION_PICTURE, SCHEMA_NAME, label_map_files, reading_to_dict
from pipeline.types import Reading
from runtime.errors import NotEligibleError, SpineScribeError, StudyError

READING = "reading.json"
REPORT = "report.md"
OVERLAY = "overlay.png"
LABEL_MAPS = ("label_map.nii.gz", "label_map.png")
_FURTHER_LABEL_MAP = re.compile(r"label_map_S\d+\.nii\.gz")
ERROR = "error.json"
ERROR_SCHEMA = "spinescribe.error/1"


def write_reading(reading: Reading, folder: Path) -> tuple[Path, ...]:
    """Write a reading into a folder, which is made if need be; an earlier reading there is replaced.

    Returns:
        The files, reading.json first.

    Raises:
        ReportError: If the reading breaks its contract; then nothing is written.
    """
    from imaging import write_label_map

    document = reading_to_dict(reading)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".spinescribe-", dir=folder) as temporary:
        fresh = Path(temporary)
        (fresh / READING).write_text(dump_json(document), encoding="utf-8")
        (fresh / REPORT).write_text(report_text(reading), encoding="utf-8")
        (fresh / OVERLAY).write_bytes(reading.overlay_png)
        series = {item.id: item for item in reading.study.series}
        names = label_map_files(reading)
        for item in reading.segmented.label_maps:
            stem = names[item.series_id].split(".")[0]
            write_label_map(item.array, series[item.series_id], reading.study.source, fresh, stem=stem)
        if reading.explanation is not None:
            (fresh / ATTENTION_PICTURE).write_bytes(render_attention(reading.explanation, reading.study))
            (fresh / ATTENTION_MAPS).write_bytes(pack_attention(reading.explanation))
        clear_reading(folder)
        files = sorted((file.name for file in fresh.iterdir()), key=lambda name: (name == READING, name))
        for name in files:
            os.replace(fresh / name, folder / name)
    return tuple(folder / name for name in reversed(files))


def write_error(error: Exception, source_name: str, folder: Path) -> Path:
    """Write error.json for an input that could not be read; a reading of an earlier run there is removed.

    A stale reading beside the error would pass for the reading of this input.

    Args:
        error: What happened; anything but our own errors is reported as a fault of ours, without its words.
        source_name: File name of the input, without its folder.
        folder: Where error.json goes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clear_reading(folder)
    is_ours = isinstance(error, SpineScribeError)
    content = {
        "schema": ERROR_SCHEMA,
        "file": source_name,
        "exit_code": error.exit_code if isinstance(error, SpineScribeError) else 1,
        "kind": type(error).__name__ if is_ours else "InternalError",
        "code": error.code if isinstance(error, StudyError | NotEligibleError) else None,
        "message": str(error) if is_ours else "an unexpected error of SpineScribe; see error.log",
    }
    file = folder / ERROR
    file.write_text(dump_json(content), encoding="utf-8")
    return file


def clear_reading(folder: Path) -> None:
    """Remove what an earlier run left in a folder; files that are not ours are not touched."""
    (folder / ERROR).unlink(missing_ok=True)
    if not _holds_our_reading(folder / READING):
        return
    further = [file.name for file in folder.iterdir() if _FURTHER_LABEL_MAP.fullmatch(file.name)]
    for name in (READING, REPORT, OVERLAY, ATTENTION_PICTURE, ATTENTION_MAPS, *LABEL_MAPS, *further):
        (folder / name).unlink(missing_ok=True)


def report_text(reading: Reading) -> str:
    """Return report.md: the notice, the report, the notices of this run that it does not carry, the notice."""
    from reporting import NOTICE, render_markdown

    text = render_markdown(
        reading.report,
        reading.findings,
        notice=False,
        provenance=reading.provenance.to_dict(),
        alert=reading.alert,
        comparison=reading.comparison,
    )
    blocks = [f"> **{NOTICE}**", text.strip()]
    told = {*reading.findings.notices, *reading.alerts}
    told |= set() if reading.comparison is None else set(reading.comparison.notices)
    extra = [notice for notice in reading.notices if notice not in told]
    if extra:
        lines = "\n".join(f"- {html.escape(' '.join(notice.split()))}" for notice in extra)
        blocks.append(f"## About this reading\n\n{lines}")
    return "\n\n".join([*blocks, f"> **{NOTICE}**"]) + "\n"


def dump_json(content: dict[str, object]) -> str:
    """Return JSON text, the same for the same content; refuses NaN."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _holds_our_reading(file: Path) -> bool:
    """Return whether a file begins like a reading.json of ours."""
    try:
        with file.open(encoding="utf-8") as stream:
            return f'"schema": "{SCHEMA_NAME}"' in stream.read(200)
    except (OSError, UnicodeDecodeError):
        return False
