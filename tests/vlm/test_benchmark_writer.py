"""The writer's benchmark: references, baselines and counts do what their tables say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anatomy import load_protocol
from benchmarks.writer import captions, channels
from benchmarks.writer.cases import Case, drawn_cases
from benchmarks.writer.channels import count_contradictions
from benchmarks.writer.showcase import sentence_table
from reporting import compose_report, facts_of, parse_report, verify_draft
from reporting.types import DraftSection, DraftSentence, ReportSection, SentenceSource
from segmentation.types import Region
from vlm.training.regions import RegionCache
from vlm.training.synthetic_findings import draw_findings

CASES = drawn_cases("lumbar", 6)


def with_regions(case: Case, seed: int) -> Case:
    embedding = np.random.default_rng(seed).normal(size=(4, 8)).astype(np.float32)
    return replace(case, regions=(Region("L4-L5", "S1", 0, (0.0, 0.0, 1.0, 1.0), embedding),))


def test_drawn_cases_are_the_same_every_time_and_differ() -> None:
    assert drawn_cases("lumbar", 6) == CASES
    assert len({str(case.findings) for case in CASES}) == len(CASES)


def test_five_references_say_the_same_facts_in_other_words() -> None:
    for case in CASES[:3]:
        references = captions.references_of(case)
        assert len(set(references)) == 5
        truth = {(fact.level, fact.side, fact.condition, fact.negated) for fact in facts_of(case.findings)}
        for text in references:
            assert {(fact.level, fact.side, fact.condition, fact.negated) for fact in parse_report(text)} == truth


def test_the_constant_report_is_normal() -> None:
    composed = [captions.section_text(compose_report(case.findings)) for case in CASES]
    facts = parse_report(captions.constant_normal(load_protocol("lumbar"), composed))
    positive = [fact for fact in facts if not fact.negated and fact.grade not in ("I", "II")]
    assert facts
    assert not positive


def test_the_nearest_patient_is_found_by_regions() -> None:
    training = [with_regions(case, number) for number, case in enumerate(CASES)]
    asked = [replace(CASES[0], regions=training[3].regions), replace(CASES[1], regions=training[5].regions)]
    expected = [captions.section_text(compose_report(CASES[index].findings)) for index in (3, 5)]
    assert captions.nearest_neighbours(asked, training) == expected


def test_cider_prefers_the_right_report_and_sameness_shows() -> None:
    texts = [captions.section_text(compose_report(case.findings)) for case in CASES]
    references = [captions.references_of(case) for case in CASES]
    right, shifted = captions.cider_of(texts, references), captions.cider_of([*texts[1:], texts[0]], references)
    assert right.mean() > shifted.mean()
    table = captions.table_of({"right": texts, "constant": [texts[0]] * len(texts)}, references, range(len(texts)))
    assert table["right"]["unique"] == 1.0
    assert table["constant"]["unique"] == pytest.approx(1 / len(texts))
    assert table["constant"]["lead"] == pytest.approx(table["right"]["cider"] - table["constant"]["cider"])


def test_a_sentence_against_the_findings_is_counted() -> None:
    case = Case(0, draw_findings(np.random.default_rng(2), load_protocol("lumbar")))
    report = verify_draft(compose_report(case.findings), case.findings)
    assert count_contradictions(report, case) == 0
    bulge = next(
        fact for fact in facts_of(case.findings) if fact.condition.value == "disc_bulging" and not fact.uncertain
    )
    lie = f"{bulge.level}: {'Disc bulge.' if bulge.negated else 'No disc bulge.'}"
    wrong = replace(report.sections[0].sentences[0], text=lie, finding_ids=())
    assert count_contradictions(replace(report, sections=(ReportSection("findings", (wrong,)),)), case) == 1


def test_the_table_of_sentences_shows_what_a_repair_replaced() -> None:
    findings = CASES[0].findings
    drafted = DraftSection("findings", (DraftSentence("A fracture of L1.", (), SentenceSource.VLM),))
    composed = compose_report(findings)
    sections = tuple(drafted if item.name == "findings" else item for item in composed.sections)
    report = verify_draft(replace(composed, sections=sections), findings)
    table = sentence_table(report)
    assert "A fracture of L1." in table
    assert "| repaired |" in table


def test_regions_of_a_few_patients_are_not_kept_as_those_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, object]] = []

    def made(data_dir: Path, protocol: object, file: Path, patients: object = None) -> RegionCache:
        asked.append((file, patients))
        return RegionCache({}, "abc")

    monkeypatch.setattr(channels, "cache_regions", made)
    file = tmp_path / "regions.npz"
    channels.region_cache(file, [18])
    channels.region_cache(file)
    assert asked[0][0].parent != tmp_path
    assert asked[0][1] == [18]
    assert asked[1] == (file, None)
