"""What is judged of a set of reports: baselines, collapse, blindness, copies, and the ids."""

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest

from anatomy import DISC_LEVELS, load_protocol
from evaluation.honesty import judge, read_embeddings
from evaluation.honesty.baselines import Pool, commonest, commonest_of_others, constant_normal, nearest_of_others
from evaluation.spinefact import read_report
from reporting import compose_level
from runtime.errors import StudyError
from tests.reporting.factories import random_findings


def drawn_report(seed: int, style: str = "structured") -> str:
    findings = random_findings(Random(seed), levels=DISC_LEVELS[-5:])
    levels = dict.fromkeys(grade.level for grade in findings.reported)
    return " ".join(item.text for level in levels for item in compose_level(findings, level, style=style))


REFERENCES = {f"p{seed:02}": [drawn_report(seed)] for seed in range(14)}
FAITHFUL = {f"p{seed:02}": drawn_report(seed, "narrative") for seed in range(14)}
NORMAL = "No disc herniation, disc bulge or spinal canal stenosis at L3-L4, L4-L5 or L5-S1."


def test_a_faithful_system_passes_and_beats_every_baseline() -> None:
    embeddings = {key: np.array([float(index), 1.0]) for index, key in enumerate(REFERENCES)}
    honesty = judge(
        FAITHFUL, REFERENCES, training=["Normal."], patients={k: k for k in FAITHFUL}, embeddings=embeddings
    )
    assert honesty.failures == ()
    assert honesty.notices == ()
    assert set(honesty.baselines) == set(honesty.comparisons)
    assert set(honesty.baselines) == {"constant_normal", "most_frequent_template", "nearest_neighbour"}
    assert all(test.difference > 0.2 and test.p < 0.01 for test in honesty.comparisons.values())
    assert honesty.unique_ratio == honesty.reference_unique_ratio == 1.0
    assert honesty.copied_share == 0.0
    assert honesty.self_cider is not None
    assert 0.0 < honesty.self_cider <= 1.0


def test_one_report_for_all_is_a_collapse_and_no_better_than_normal() -> None:
    honesty = judge(dict.fromkeys(REFERENCES, NORMAL), REFERENCES)
    assert honesty.failures[0].startswith("collapse: 1 distinct reports for 14 cases (0.071)")
    assert any("no better than constant_normal, which saw no image" in text for text in honesty.failures)
    assert honesty.self_cider == pytest.approx(0.0, abs=1e-6)


def test_few_reports_are_not_judged_and_it_is_said() -> None:
    few = list(REFERENCES)[:3]
    honesty = judge(dict.fromkeys(few, NORMAL), {key: REFERENCES[key] for key in few})
    assert honesty.failures == ()
    assert any("collapse is not judged: 3 reports" in text for text in honesty.notices)
    assert any("not judged against constant_normal" in text for text in honesty.notices)


def test_normal_references_tell_nothing_of_blindness() -> None:
    references = {f"p{index}": [NORMAL] for index in range(12)}
    honesty = judge(dict.fromkeys(references, NORMAL), references)
    assert honesty.failures == ()
    assert any("0 references state something abnormal" in text for text in honesty.notices)


def test_what_is_left_out_is_named() -> None:
    honesty = judge({"a": "Hello.", "b": "Good day."}, {"a": ["Hola."], "b": ["Adios."]})
    told = "\n".join(honesty.notices)
    for words in (
        "no table of patients", "constant_normal is left out", "nearest_neighbour is left out",
        "copied_share is left out", "comes from the other patients' references",
    ):  # fmt: skip
        assert words in told
    assert set(honesty.baselines) == {"most_frequent_template"}
    assert honesty.comparisons == {}


def test_one_patient_has_no_other() -> None:
    honesty = judge({"a": NORMAL, "b": NORMAL}, {"a": [NORMAL], "b": [NORMAL]}, patients={"a": "x", "b": "x"})
    assert "most_frequent_template is left out: there is no other patient to choose from" in honesty.notices


def test_copies_of_training_reports_are_counted_and_copied_references_told() -> None:
    training = [FAITHFUL["p00"], REFERENCES["p01"][0]]
    honesty = judge(FAITHFUL, REFERENCES, training=training)
    assert honesty.copied_share == pytest.approx(1 / 14)
    assert any(
        "0.071 of the references stand word for word among the training" in text for text in honesty.notices
    )


def test_a_baseline_never_uses_the_case_or_its_patient() -> None:
    pool = Pool(("a", "b", "c"), ("x", "x", "y"), ("same text", "same text", "other text"))
    assert commonest_of_others(pool) == {"a": "other text", "b": "other text", "c": "same text"}
    near = {"a": np.array([1.0, 0.0]), "b": np.array([1.0, 0.01]), "c": np.array([0.0, 1.0])}
    assert nearest_of_others(pool, near) == {"a": "other text", "b": "other text", "c": "same text"}


def test_the_commonest_template_masks_values_and_ties_go_to_the_most_typical() -> None:
    assert commonest(["slip of 4.0 mm", "bulge", "slip of 5.1 mm"]) == "slip of 4.0 mm"
    assert commonest(["zebra", "disc bulge at two", "disc bulge at one", "disc bulge at one and two"]) != "zebra"


@pytest.mark.parametrize("name", ["lumbar", "cervical", "sacroiliac"])
def test_the_constant_normal_report_denies_everything_and_is_read_whole(name: str) -> None:
    protocol = load_protocol(name)
    read = read_report(constant_normal(protocol, []))
    assert all(fact.negated for fact in read.facts)
    assert (read.unread, read.partly_read) == ((), ())
    assert {fact.level for fact in read.facts} >= set(protocol.levels)
    assert {fact.condition for fact in read.facts} == set(protocol.conditions)


def test_the_constant_normal_report_speaks_of_what_the_references_speak_of() -> None:
    read = read_report(
        constant_normal(load_protocol("lumbar"), ["Disc bulge at L4-L5.", "No disc bulge at L4-L5."])
    )
    assert [(fact.level, fact.condition.value, fact.negated) for fact in read.facts] == [
        ("L4-L5", "disc_bulging", True)
    ]


def test_ids_must_agree() -> None:
    with pytest.raises(StudyError, match="at least one report, got none"):
        judge({}, {})
    with pytest.raises(StudyError, match="'b' is in one only"):
        judge({"a": NORMAL}, {"a": [NORMAL], "b": [NORMAL]})
    with pytest.raises(StudyError, match="at least one text for 'a'"):
        judge({"a": NORMAL}, {"a": []})
    with pytest.raises(StudyError, match="patients: expected every id of the predictions; 'a' is missing"):
        judge({"a": NORMAL}, {"a": [NORMAL]}, patients={})


def test_embeddings_come_from_npz_and_jsonl(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", a=np.ones((1, 3)), b=np.zeros(3))
    lines = [json.dumps({"id": key, "vector": [1, 2]}) for key in "ab"]
    (tmp_path / "v.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert {key: len(vector) for key, vector in read_embeddings(tmp_path / "v.npz").items()} == {"a": 3, "b": 3}
    assert read_embeddings(tmp_path / "v.jsonl")["b"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("v.jsonl", '{"id": "a"}', "expected embeddings"),
        ("v.jsonl", '{"id": "a", "vector": [1]}\n{"id": "a", "vector": [2]}', "each id once"),
        ("v.jsonl", '{"id": "a", "vector": [1]}\n{"id": "b", "vector": [2, 3]}', r"one length, got \[1, 2\]"),
        ("v.npz", "no archive", "expected embeddings"),
    ],
)
def test_bad_embeddings_are_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(StudyError, match=words):
        read_embeddings(tmp_path / name)
    with pytest.raises(StudyError, match="found no file"):
        read_embeddings(tmp_path / "none.npz")


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs/honesty.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "splits.csv").write_text("id,patient,split\np00,a,train\np01,a,test\n", encoding="utf-8")
    names: dict[str, object] = {
        "Path": Path, "predictions": FAITHFUL, "references": REFERENCES, "training_texts": [NORMAL],
        "patient_of_id": {key: key for key in FAITHFUL}, "patients": ["a", "b"],
        "scores_of_a": np.array([0.5, 0.9]), "scores_of_b": np.array([0.4, 0.7]),
    }  # fmt: skip
    exec(page.split("```python\n")[1].split("```")[0], names)
    assert names["honesty"].failures == ()  # type: ignore[attr-defined]
    assert names["leakage"].patients == ("a",)  # type: ignore[attr-defined]
    assert names["test"].difference == pytest.approx(0.15)  # type: ignore[attr-defined]
