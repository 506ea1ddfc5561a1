"""What crosses the border of the reading process: plain records, whole or refused, and errors of known kinds."""

import tempfile
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.isolate import parent
from imaging.isolate.handover import Answer, Request, error_of, failure_of, read_record, write_record
from imaging.isolate.records import MisfitError, from_plain, to_plain
from imaging.limits import Limits
from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from runtime.errors import (
    ReportError,
    SpineScribeError,
    StudyError,
    WeightsError,
)
from tests.imaging.conftest import assert_same


def full_study() -> Study:
    """Return a study in which every optional field holds a value."""
    volume = Volume(
        array=np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        spacing=Spacing(0.5, 0.6, 4.0),
        affine=np.diag([1.0, 2.0, 3.0, 1.0]),
        source_shape=(3, 2, 4),
        source_axes=((1, True), (0, False), (2, False)),
    )
    series = Series(
        id="S1",
        role="sagittal_t2",
        plane=Plane.SAGITTAL,
        sequence=Sequence.T2,
        volume=volume,
        reasons=("a", "b"),
        header={"echo_time_ms": 100.0, "model": "X"},
        series_instance_uid="1.2",
        instance_uids=("1.2.3", "1.2.4"),
    )
    return Study("key", SourceKind.DICOM, "lumbar", (series, series), "F", 47.0, ("notice",))


def test_records_survive_the_private_file() -> None:
    study = full_study()
    request = Request("/a/\udce4b", "auto", Spacing(0.5, 0.5), Limits(seconds=0.5))
    with tempfile.TemporaryFile() as stream:
        write_record(stream, Answer(study, None, 5))
        answer = read_record(stream, Answer)
        assert answer.study is not None
        assert_same(study, answer.study)
        write_record(stream, request)
        assert read_record(stream, Request) == request


def test_every_cut_and_every_flipped_byte_of_an_answer_is_refused_or_a_sound_study() -> None:
    with tempfile.TemporaryFile() as stream:
        write_record(stream, Answer(full_study(), None, 5))
        stream.seek(0)
        raw = stream.read()
        outcomes = set()
        for position in range(0, len(raw), 3):
            for damaged in (raw[:position], raw[:position] + bytes([raw[position] ^ 0xFF]) + raw[position + 1 :]):
                stream.seek(0)
                stream.truncate()
                stream.write(damaged)
                try:
                    read_record(stream, Answer)
                    outcomes.add("read")
                except MisfitError:
                    outcomes.add("refused")
    assert outcomes == {"read", "refused"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": 5}, "expected str"),
        ({"sex": True}, "expected NoneType, found bool"),
        ({"age_years": "47"}, "expected NoneType"),
        ({"source": "tape"}, "not a valid SourceKind"),
        ({"series": {}}, "expected list"),
        ({"more": 1}, "expected the fields"),
    ],
)
def test_what_does_not_fit_a_field_is_refused(change: dict[str, object], words: str) -> None:
    arrays: list[NDArray[np.generic]] = []
    plain = to_plain(full_study(), arrays)
    with pytest.raises(MisfitError, match=words):
        from_plain({**plain, **change}, Study, arrays)
    plain["series"][0]["volume"]["array"] = {"array": 1}  # the affine: of another type
    with pytest.raises(MisfitError, match="expected an array of float32"):
        from_plain(plain, Study, arrays)
    plain["series"][0]["volume"]["array"] = {"array": 99}
    with pytest.raises(MisfitError, match="expected the number of an array"):
        from_plain(plain, Study, arrays)


def test_what_cannot_be_handed_over_is_named() -> None:
    with pytest.raises(MisfitError, match="a set cannot be handed over"):
        to_plain({"x": {1}}, [])


def test_an_unsound_study_of_the_child_is_refused() -> None:
    study = full_study()
    spoiled = replace(study.series[0].volume, array=np.full((2, 2, 2), np.nan, np.float32))
    with pytest.raises(StudyError, match=r"x\.dcm: expected finite images"):
        parent._checked(replace(study, series=(replace(study.series[0], volume=spoiled),)), "x.dcm")


def test_an_error_of_another_room_is_a_fault() -> None:
    assert type(error_of(failure_of(WeightsError("lost")), "x.dcm")) is WeightsError
    error = error_of(failure_of(ReportError("lost")), "x.dcm")
    assert type(error) is SpineScribeError
    assert "lost" in str(error)
