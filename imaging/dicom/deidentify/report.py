"""The provenance report: what was done to which tag and file, without a value, name or UID of the original."""

import json
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from imaging.dicom.deidentify.keys import MAX_SHIFT_DAYS, MIN_SHIFT_DAYS
from imaging.dicom.deidentify.profile import EDITION
from imaging.dicom.deidentify.types import DeidentifyOptions, Log, Outcome

SCHEMA = "spinescribe.deidentification/1"
JSON_NAME, MARKDOWN_NAME = "deidentification.json", "deidentification.md"

_LEFT = (
    "Pixels are not changed. The search for burned-in text only warns; it cannot show that there is none.",
    "A face may be recognised in slices that hold it (cervical studies); features are not removed.",
    "Sex, size, weight, smoking and pregnancy status, and age below 90, stay if the option is on.",
    "Make and model of the scanner and technical settings stay; the device's number and the station's name go.",
    "References between images stay, with new UIDs (the table would allow to remove them).",
    "Who holds the secret can link new identifiers to old ones: keep it apart from the data, or give none.",
)


@dataclass(frozen=True)
class Report:
    """What a run did.

    Attributes:
        options: As asked.
        outcomes: One for each input file, in the input's order.
        log: Actions by tag.
        studies: Number of studies.
    """

    options: DeidentifyOptions
    outcomes: tuple[Outcome, ...]
    log: Log
    studies: int

    @property
    def written(self) -> tuple[Outcome, ...]:
        """Images written."""
        return tuple(outcome for outcome in self.outcomes if outcome.output is not None)

    @property
    def bad(self) -> tuple[Outcome, ...]:
        """Files that should have been written and were not."""
        return tuple(outcome for outcome in self.outcomes if outcome.is_bad)

    @property
    def exit_code(self) -> int:
        """1 if our check stopped a file, else 2 if a file was bad, else 0."""
        if any(outcome.is_our_fault for outcome in self.outcomes):
            return 1
        return 2 if self.bad else 0

    def to_dict(self) -> dict[str, Any]:
        """Return ``deidentification.json``."""
        return {
            "schema": SCHEMA,
            "profile": {"edition": EDITION, "name": "Basic Application Level Confidentiality Profile"},
            "options": self._options(),
            "tool": {name: _version(name) for name in ("spinescribe", "pydicom")},
            "files": {
                "input": len(self.outcomes),
                "written": len(self.written),
                "with_warnings": sum(bool(outcome.warnings) for outcome in self.written),
                "left_out": len(self.outcomes) - len(self.written) - len(self.bad),
                "bad": len(self.bad),
                "studies": self.studies,
            },
            "warnings": [
                {"output": outcome.output, "warnings": list(outcome.warnings)}
                for outcome in self.written
                if outcome.warnings
            ],
            "not_written": [
                {"input_number": outcome.index, "reason": outcome.reason, "bad": outcome.is_bad}
                for outcome in self.outcomes
                if outcome.output is None
            ],
            "tags": [
                {"tag": tag, "name": name, "action": action.value, "reason": reason, "count": count}
                for (tag, name, action, reason), count in sorted(self.log.actions.items())
            ],
            "left": list(_LEFT),
        }

    def _options(self) -> dict[str, Any]:
        return {
            "clean_descriptors": True,
            "modified_dates": f"moved back by one interval a patient, {MIN_SHIFT_DAYS} to {MAX_SHIFT_DAYS} days",
            "retain_patient_characteristics": self.options.keep_characteristics,
            "retain_safe_private": False,
            "clean_pixel_data": False,
            "leave_out_suspect": self.options.leave_out_suspect,
            "secret": "drawn for this run and forgotten" if self.options.secret is None else "given by the caller",
        }


def write_report(report: Report, out: Path) -> None:
    """Write the report as JSON and as Markdown into the output folder."""
    content = report.to_dict()
    (out / JSON_NAME).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (out / MARKDOWN_NAME).write_text(_markdown(content), encoding="utf-8")


def _markdown(content: dict[str, Any]) -> str:
    files, profile = content["files"], content["profile"]
    lines = [
        "# De-identification",
        "",
        f"{profile['name']} ({profile['edition']}), SpineScribe {content['tool']['spinescribe']}.",
        "",
        f"- {files['input']} files read, {files['written']} images of {files['studies']} studies written, "
        f"{files['left_out']} files left out by rule, {files['bad']} bad.",
        *(f"- {name.replace('_', ' ')}: {_said(value)}" for name, value in content["options"].items()),
    ]
    lines += ["", "## Look at these before giving them away", ""] if content["warnings"] else []
    lines += [f"- {item['output']}: {'; '.join(item['warnings'])}" for item in content["warnings"]]
    lines += ["", "## Not written", ""] if content["not_written"] else []
    lines += [f"- input file number {item['input_number']}: {item['reason']}" for item in content["not_written"]]
    lines += ["", "## What stays, and what this cannot do", "", *(f"- {item}" for item in content["left"])]
    lines += ["", "## Elements", "", *_counts(content["tags"]), "", "| tag | name | action | reason | elements |"]
    lines += ["|---|---|---|---|---|"]
    lines += [
        f"| {item['tag']} | {item['name']} | {item['action']} | {item['reason']} | {item['count']} |"
        for item in content["tags"]
    ]
    return "\n".join(lines) + "\n"


def _counts(tags: list[dict[str, Any]]) -> list[str]:
    counts: Counter[str] = Counter()
    for item in tags:
        counts[item["action"]] += item["count"]
    return [f"- {action}: {count}" for action, count in sorted(counts.items())]


def _said(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
