"""A printed report in reading order, for PDF and DOCX alike.

First what a radiologist signs (text, key pictures), then what it rests on (grades, measurements, decisions), then
what made it (provenance, notices).
"""

from __future__ import annotations

from collections.abc import Sequence

from reporting.export.blocks import Block, Heading, Picture, PictureRow, Table, Text, Tone
from reporting.export.content import RESEARCH_USE, Outgoing, provenance_lines
from reporting.export.key_pictures import KeyPicture, not_pictured
from reporting.export.measured import measurement_blocks
from reporting.view import ReportView

_DECISION_HEAD = ("Finding", "The machine", "Decision", "By", "At (UTC)")
_GRADE_HEAD = ("Level", "Side", "Condition", "Scale", "Grade", "Prob.", "Cannot be excluded", "Remark")
_OVERLAY_ALT = "Middle slice with the structures and levels that were found"


def report_blocks(outgoing: Outgoing, pictures: Sequence[KeyPicture] = ()) -> list[Block]:
    """Return what a printed report shows, in order.

    Args:
        outgoing: The report as it stands.
        pictures: Its key pictures; none where the study was not given.
    """
    view = outgoing.view
    return [
        *_opening(outgoing),
        *_text(view),
        *_images(outgoing, pictures),
        Heading("Burden score"),
        Text(view.burden.text),
        *_changes(view),
        *_decisions(outgoing),
        *_grades(view),
        *measurement_blocks(outgoing.findings.measurements),
        *_made_by(outgoing),
    ]


def _opening(outgoing: Outgoing) -> list[Block]:
    stand = f"Study key {outgoing.study_key}, version {outgoing.version}, {outgoing.status.value}."
    blocks: list[Block] = [Text(outgoing.title, Tone.TITLE), Text(RESEARCH_USE, Tone.NOTICE)]
    if outgoing.alert:
        blocks.append(Text(outgoing.alert, Tone.NOTICE))
    return [*blocks, Text(stand), Text(outgoing.standing, Tone.STRONG)]


def _text(view: ReportView) -> list[Block]:
    blocks: list[Block] = []
    for section in view.sections:
        blocks.append(Heading(section.name.capitalize()))
        blocks += [Text(" ".join(sentence.text for sentence in group)) for group in section.paragraphs]
    return blocks


def _images(outgoing: Outgoing, pictures: Sequence[KeyPicture]) -> list[Block]:
    """Return the key pictures two by two, the overlay as the last."""
    shown = [Picture(item.png, item.alt, (f"{item.where}.", *item.lines)) for item in pictures]
    if outgoing.overlay_png is not None:
        shown.append(Picture(outgoing.overlay_png, _OVERLAY_ALT, (f"{_OVERLAY_ALT}.",)))
    if not shown:
        return []
    blocks: list[Block] = [Heading("Key images" if pictures else "Picture")]
    if pictures and not any(item.is_positive for item in pictures):
        blocks.append(Text("No positive finding; slices on which conditions were graded.", Tone.SMALL))
    blocks += [PictureRow(tuple(shown[start : start + 2])) for start in range(0, len(shown), 2)]
    left_out = not_pictured(outgoing, pictures) if pictures else 0
    if left_out:
        blocks.append(Text(f"Positive findings that lie on other slices: {left_out}.", Tone.SMALL))
    return blocks


def _changes(view: ReportView) -> list[Block]:
    rows = tuple((row.level, row.side, row.what, row.before, row.now, row.change) for row in view.changes)
    head = ("Level", "Side", "What", "Earlier", "Now", "Change")
    return _titled("Change since the earlier reading", Table(head, rows, (2, 1.5, 4, 3, 3, 3)))


def _decisions(outgoing: Outgoing) -> list[Block]:
    rows = tuple((item.what, item.machine, item.verdict, item.by, item.at) for item in outgoing.decisions)
    return _titled("Decisions of the readers", Table(_DECISION_HEAD, rows, (4, 4, 3, 2.5, 2.5)))


def _grades(view: ReportView) -> list[Block]:
    rows = tuple(
        (row.level, row.side, row.condition, row.scale, row.grade, row.probability, row.open, row.remark)
        for row in view.grades
    )
    strong = frozenset(index for index, row in enumerate(view.grades) if row.kind == "abnormal")
    table = Table(_GRADE_HEAD, rows, (1.5, 1.0, 3.95, 2.85, 2.6, 1.15, 2.05, 3.1), strong)
    note = Text("Shaded: an abnormal step cannot be excluded. Probabilities are calibrated.", Tone.SMALL)
    return [*_titled("Grades", table), note] if rows else []


def _made_by(outgoing: Outgoing) -> list[Block]:
    table = Table(("What", "Value"), tuple(provenance_lines(outgoing)), (5, 11))
    blocks = _titled("Provenance", table)
    if outgoing.notices:
        blocks.append(Heading("Notices of the machine's reading"))
        blocks += [Text(text, Tone.SMALL) for text in outgoing.notices]
    return blocks


def _titled(title: str, table: Table) -> list[Block]:
    return [Heading(title), table] if table.rows else []
