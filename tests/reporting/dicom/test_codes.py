"""Codes as DICOM holds them: the first code, and those that mean the same beside it."""

import pytest

from reporting.codes import SCHEME, Kind
from reporting.dicom.codes import code_of, probability_code, scheme_item, step_code
from runtime.errors import ConfigError


def test_a_code_carries_those_that_mean_the_same() -> None:
    code = code_of(Kind.CONDITION, "neural_foraminal_narrowing")
    assert (code.value, code.scheme_designator) == ("371000119109", "SCT")
    others = {(item.CodeValue, item.CodingSchemeDesignator) for item in code.EquivalentCodeSequence}
    assert others == {("RID5034", "RADLEX"), ("cond-foraminal", SCHEME)}


def test_a_code_alone_has_no_others() -> None:
    assert "EquivalentCodeSequence" not in code_of(Kind.LEVEL, "L4-L5")
    assert "EquivalentCodeSequence" not in probability_code("rsna", "moderate")
    assert [item.CodeValue for item in step_code("rsna", "moderate").EquivalentCodeSequence] == ["RID5672"]


def test_our_scheme_is_named() -> None:
    assert scheme_item().CodingSchemeDesignator == SCHEME


def test_what_has_no_code_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected a level named 'L9-L10'"):
        code_of(Kind.LEVEL, "L9-L10")
