"""The HTML page of a report: what it holds; its mark."""

import re

import pytest

from reporting.export.blocks import Table
from reporting.export.measured import measurement_blocks
from reporting.export.text import to_html
from tests.reporting.export.packages import PROTOCOLS, Phantoms, package_of, signed


def _rows(page: str) -> set[tuple[str, ...]]:
    return {
        tuple(re.findall(r"<td>(.*?)</td>", row)) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.DOTALL)
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_measurements_stand_in_tables(phantoms: Phantoms, protocol: str) -> None:
    outgoing = package_of(phantoms, protocol).outgoing
    rows = _rows(to_html(outgoing).replace("&lt;", "<").replace("&gt;", ">"))
    tables = [item for item in measurement_blocks(outgoing.findings.measurements) if isinstance(item, Table)]
    assert tables
    assert all(row in rows for table in tables for row in table.rows)


def test_the_mark_stands_on_a_draft_alone(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    assert f'<div class="mark">{package.outgoing.mark}</div>' in to_html(package.outgoing)
    assert "DRAFT" not in to_html(signed(package).outgoing)
