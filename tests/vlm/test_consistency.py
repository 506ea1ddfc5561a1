"""Consistency: agreement with sampled drafts by facts, seeded and the same every time."""

import numpy as np
import pytest
import torch

from anatomy import Protocol
from reporting.types import SentenceSource
from vlm.build import LoadedWriter
from vlm.consistency import agreement
from vlm.model import Sampling
from vlm.plan import plan_report, slots_of
from vlm.predict import Drafter
from vlm.training.synthetic_findings import draw_findings

SAID = "L4-L5: Disc bulge and severe spinal canal stenosis."


@pytest.mark.parametrize(
    ("drafts", "expected"),
    [
        ([SAID, "At L4-L5 there is severe central canal stenosis. A disc bulge is seen."], 1.0),
        ([SAID, "L4-L5: Disc bulge and moderate spinal canal stenosis."], 0.5),
        (["L4-L5: No disc bulge. Severe spinal canal stenosis.", "L3-L4: Disc bulge."], 0.0),
        ([], None),
    ],
)
def test_facts_agree_whatever_the_words(drafts: list[str], expected: float | None) -> None:
    assert agreement(SAID, drafts, "L4-L5") == expected


def test_a_level_is_carried_and_no_fact_is_no_score() -> None:
    assert agreement("No disc bulge.", ["L4-L5: Severe stenosis. No disc bulge."], "L4-L5") == 1.0
    assert agreement("Something was written.", [SAID], "L4-L5") is None


def test_sampled_drafts_are_the_same_every_time_and_rate_each_sentence(
    tiny: LoadedWriter, lumbar: Protocol
) -> None:
    drafter = Drafter(tiny, checksum="tiny", device=torch.device("cpu"))
    findings = draw_findings(np.random.default_rng(3), lumbar)
    prompts = [drafter.prompt_of(slot, (), style="structured") for slot in slots_of(plan_report(findings))]
    first, second = drafter.sample_slots(prompts), drafter.sample_slots(prompts)
    assert first == second
    assert [len(texts) for texts in first] == [3] * len(prompts)
    assert any(len(set(texts)) > 1 for texts in first), "drafts at a temperature differ"
    plain = drafter.write_draft(findings, (), lumbar)
    rated = drafter.write_draft(findings, (), lumbar, rates_consistency=True)
    sentences = [item for section in rated.sections for item in section.sentences]
    assert [item.text for item in sentences] == [i.text for section in plain.sections for i in section.sentences]
    assert all(item.consistency is None for section in plain.sections for item in section.sentences)
    scores = [item.consistency for item in sentences if item.source is SentenceSource.VLM]
    assert any(score is not None for score in scores)
    assert all(score is None or 0.0 <= score <= 1.0 for score in scores)
    assert all(item.consistency is None for item in sentences if item.source is SentenceSource.COMPOSER)


def test_a_low_temperature_draws_the_likeliest() -> None:
    sampling = Sampling(0.01, torch.Generator().manual_seed(0))
    assert sampling.draw(torch.tensor([[0.0, 1.0, 0.5], [2.0, 0.0, 0.0]])).tolist() == [1, 0]
