"""METEOR and SPICE around a Java program: missing, failing, hanging, answering (a small script stands for it)."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evaluation.text import MetricUnavailable, open_metric
from evaluation.text.java import find_jar
from evaluation.text.meteor import Meteor

_COPY = "3 3 0 0 3 3 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 3 3"
_NONE = "3 3 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"


def _java(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program of the name java first on the PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / "java"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize("metric", ["meteor", "spice"])
def test_without_java_the_message_names_what_to_install(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MetricUnavailable, match=f"{metric}: expected a Java runtime.*default-jre-headless"):
        open_metric(metric)


def test_meteor_pools_the_matches_of_all_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _java(tmp_path / "bin", f"cat > seen\ncp seen {tmp_path}/seen\necho {_COPY}\necho {_NONE}", monkeypatch)
    scores = open_metric("meteor").score(["disc bulge seen.", "no"], [["disc bulge seen", "x"], ["canal wide"]])
    assert scores.per_report["meteor"].tolist() == pytest.approx([1.0, 0.0])
    # precision and recall 3 of 6, no run counted: the copy has none
    assert scores.corpus["meteor"] == pytest.approx(0.5)
    lines = (tmp_path / "seen").read_text(encoding="utf-8").splitlines()
    assert lines == ["SCORE ||| disc bulge seen ||| x ||| disc bulge seen", "SCORE ||| canal wide ||| no"]


def test_runs_side_by_side_write_nothing_beside_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _java(tmp_path / "bin", f"pwd >> {tmp_path}/folders\ntouch here\ncat > /dev/null\necho {_COPY}", monkeypatch)
    package = find_jar("meteor", "meteor-1.5.jar").parent
    before = sorted(package.iterdir())
    with ThreadPoolExecutor(4) as pool:
        scores = list(pool.map(lambda _: Meteor().score(["a b c"], [["a b c"]]).corpus["meteor"], range(4)))
    folders = (tmp_path / "folders").read_text(encoding="utf-8").split()
    assert scores == [1.0] * 4
    assert len(set(folders)) == 4
    assert not any(Path(folder).exists() for folder in folders)
    assert sorted(package.iterdir()) == before


def test_a_failing_program_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _java(tmp_path / "bin", "echo 'no memory' >&2; exit 3", monkeypatch)
    with pytest.raises(MetricUnavailable, match="Java ended with code 3: no memory"):
        open_metric("meteor").score(["a"], [["a"]])


def test_a_hanging_program_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _java(tmp_path / "bin", "exec sleep 30", monkeypatch)
    start = time.monotonic()
    with pytest.raises(MetricUnavailable, match="still running after 0 s and was ended"):
        Meteor(limit_s=0.3).score(["a"], [["a"]])
    assert time.monotonic() - start < 10


def test_an_answer_of_another_form_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _java(tmp_path / "bin", "cat > /dev/null; echo 0.5", monkeypatch)
    with pytest.raises(MetricUnavailable, match="expected 1 lines of 23 numbers"):
        open_metric("meteor").score(["a"], [["a"]])


def test_spice_never_fetches_its_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _java(tmp_path / "bin", "exit 1", monkeypatch)
    monkeypatch.setenv("SPINESCRIBE_CORENLP", str(tmp_path))
    with pytest.raises(MetricUnavailable, match=r"fetch Stanford CoreNLP 3\.6\.0 yourself"):
        open_metric("spice")


def test_spice_reads_the_scores_of_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = '[{"image_id": 0, "scores": {"All": {"f": 0.25}}}, {"image_id": 1, "scores": {"All": {"f": 0.75}}}]'
    _java(tmp_path / "bin", f"cp in.json {tmp_path}/in.json\necho '{answer}' > out.json", monkeypatch)
    for name in ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar"):
        (tmp_path / name).touch()
    monkeypatch.setenv("SPINESCRIBE_CORENLP", str(tmp_path))
    scores = open_metric("spice").score(["disc bulge.", "b"], [["disc"], ["b", "c"]])
    assert scores.corpus["spice"] == pytest.approx(0.5)
    assert scores.per_report["spice"].tolist() == [0.25, 0.75]
    assert '"test": "disc bulge"' in (tmp_path / "in.json").read_text(encoding="utf-8")
