"""Measurements as tables: every value has its cell, what is missing its reason."""

from dataclasses import replace

import pytest

from reporting.export.blocks import Table, Text
from reporting.export.measured import measurement_blocks, value_words
from tests.reporting.export.packages import PROTOCOLS, Phantoms, package_of


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_measurement_has_its_cell(phantoms: Phantoms, protocol: str) -> None:
    measurements = package_of(phantoms, protocol).outgoing.findings.measurements
    blocks = measurement_blocks(measurements)
    cells = [cell for block in blocks if isinstance(block, Table) for row in block.rows for cell in row[2:]]
    assert sum(cell != "–" for cell in cells) == len(measurements)
    notes = " ".join(block.text for block in blocks if isinstance(block, Text))
    assert all(str(item.reason) in notes for item in measurements if item.value is None)
    assert all(item.method in notes for item in measurements)


def test_no_measurement_no_table(phantoms: Phantoms) -> None:
    assert measurement_blocks(()) == []


def test_a_small_negative_value_is_no_minus_zero(phantoms: Phantoms) -> None:
    first = package_of(phantoms, "lumbar").outgoing.findings.measurements[0]
    tables = [item for item in measurement_blocks([replace(first, value=-0.01)]) if isinstance(item, Table)]
    assert tables[0].rows[0][2] == "0.0"


def test_more_reasons_than_letters_have_marks_of_their_own(phantoms: Phantoms) -> None:
    first = package_of(phantoms, "lumbar").outgoing.findings.measurements[0]
    many = [replace(first, name=f"q{index}", value=None, reason=f"reason {index}") for index in range(30)]
    (table,) = [item for item in measurement_blocks(many) if isinstance(item, Table)]
    assert len({row[2] for row in table.rows}) == 30


def test_quantities_are_told_in_words(phantoms: Phantoms) -> None:
    first = package_of(phantoms, "lumbar").outgoing.findings.measurements[0]
    told = [
        ("canal_ap_diameter", "mm", "canal AP diameter (mm)"),
        ("cobb_angle", "deg", "Cobb angle (°)"),
        ("dural_sac_area", "mm2", "dural sac area (mm²)"),
        ("csf_signal_ratio", "1", "CSF signal ratio"),
        ("sparcc_inflammation", "1", "SPARCC-like inflammation score"),
        ("something_new", "1", "something new"),
    ]
    blocks = measurement_blocks([replace(first, name=name, unit=unit) for name, unit, _ in told])
    (table,) = [item for item in blocks if isinstance(item, Table)]
    assert [row[0] for row in table.rows] == [words for _, _, words in told]


@pytest.mark.parametrize(
    ("percentile", "words"), [(0.2, "3.0 P<1"), (24.4, "3.0 P24"), (99.7, "3.0 P>99"), (None, "3.0")]
)
def test_there_is_no_percentile_of_zero(phantoms: Phantoms, percentile: float | None, words: str) -> None:
    first = package_of(phantoms, "lumbar").outgoing.findings.measurements[0]
    given = replace(first, value=3.0, unit="mm", percentile=percentile)
    assert value_words(given, {}) == words
