"""From a sentence of a reading to its places in the images, and from a finding back to its sentences.

Works on the content of reading.json, so that the command line, the web page and other programs follow the same
links. A box is in pixels of the original slice and lies inside it; where a finding has none, the reason is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from grading.types import Evidence

Document = Mapping[str, Any]
Box = tuple[float, float, float, float]

_LINE_MARGIN_PX = 4.0
"""Room left around a measured line, so that a straight one has an area."""


@dataclass(frozen=True)
class SentenceRef:
    """A sentence of a reading.

    Attributes:
        section: Name of its section.
        index: Its place in the section, from 0.
        text: The sentence.
        finding_ids: Grades and measurements it states.
    """

    section: str
    index: int
    text: str
    finding_ids: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where one finding of a sentence lies.

    Attributes:
        finding_id: Grade or measurement.
        evidence: Series, slice and box; None where there is none.
        reason: Why there is none; None otherwise.
    """

    finding_id: str
    evidence: Evidence | None
    reason: str | None


@dataclass(frozen=True)
class Grounding:
    """Where a sentence lies in the images.

    Attributes:
        places: One per finding of the sentence, in its order.
        reason: Why the sentence has no box at all; None when it has one.
    """

    places: tuple[Place, ...]
    reason: str | None

    @property
    def boxes(self) -> tuple[Evidence, ...]:
        """Return the boxes, each once."""
        return tuple(dict.fromkeys(item.evidence for item in self.places if item.evidence is not None))


def sentences(reading: Document) -> Iterator[SentenceRef]:
    """Yield all sentences of a report in order."""
    for section in reading["report"]["sections"]:
        for index, item in enumerate(section["sentences"]):
            yield SentenceRef(section["name"], index, item["text"], tuple(item["finding_ids"]))


def sentences_of(reading: Document, finding_id: str) -> tuple[SentenceRef, ...]:
    """Return the sentences that state a finding; none when nothing is said of it.

    Raises:
        KeyError: If the reading has no such grade or measurement.
    """
    _finding(reading, finding_id)
    return tuple(item for item in sentences(reading) if finding_id in item.finding_ids)


def evidence_of(reading: Document, sentence: SentenceRef) -> Grounding:
    """Return where a sentence lies in the images.

    Args:
        reading: Content of reading.json.
        sentence: One of ``sentences(reading)``.

    Raises:
        KeyError: If the sentence refers to a finding that the reading does not have.
    """
    places = tuple(_place(reading, key) for key in sentence.finding_ids)
    if any(item.evidence is not None for item in places):
        return Grounding(places, None)
    if not places:
        return Grounding((), "the sentence states no finding")
    return Grounding(places, "; ".join(dict.fromkeys(str(item.reason) for item in places)))


def place_of(reading: Document, finding_id: str) -> Place:
    """Return where one finding lies.

    Raises:
        KeyError: If the reading has no such grade or measurement.
    """
    return _place(reading, finding_id)


def _place(reading: Document, finding_id: str) -> Place:
    row = _finding(reading, finding_id)
    if row["status"] == "not_assessable":
        return Place(finding_id, None, f"not assessable: {row['reason']}")
    found = row["evidence"] if "evidence" in row else _line_evidence(row)
    if found is None:
        return Place(finding_id, None, "a value without a place of its own, of several slices or the whole study")
    box = _inside(reading, found["series"], found["box_px"])
    if box is None:
        return Place(finding_id, None, "its box lies outside the image")
    return Place(finding_id, Evidence(found["series"], found["slice"], box), None)


def _finding(reading: Document, finding_id: str) -> Mapping[str, Any]:
    for row in (*reading["grades"], *reading["measurements"]):
        if row["id"] == finding_id:
            found: Mapping[str, Any] = row
            return found
    raise KeyError(f"finding: expected an id of this reading, got {finding_id!r}")


def _line_evidence(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the box around the line of a measurement; None when it has no line or no slice."""
    if row["line_px"] is None or row["slice"] is None:
        return None
    xs, ys = zip(*row["line_px"], strict=True)
    margin = _LINE_MARGIN_PX
    box = [min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin]
    return {"series": row["series"], "slice": row["slice"], "box_px": box}


def _inside(reading: Document, series_id: str, box: list[float]) -> Box | None:
    """Return the part of a box inside its slice; None when nothing of it is."""
    columns, rows, _ = next(item["shape"] for item in reading["study"]["series"] if item["id"] == series_id)
    x0, x1 = (min(max(value, 0.0), columns - 1.0) for value in (box[0], box[2]))
    y0, y1 = (min(max(value, 0.0), rows - 1.0) for value in (box[1], box[3]))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
