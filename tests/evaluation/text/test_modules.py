"""The modules under Hugging Face's ``evaluate``, as docs/metrics/README.md uses them."""

from pathlib import Path

import pytest

from evaluation.text import METRICS, MetricUnavailable, compute, open_metric
from evaluation.text.modules import load_module, module_path
from runtime import ConfigError
from tests.evaluation.text.corpora import STORED, TOLD, TRUTH


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what ``evaluate`` writes out of the user's cache."""
    evaluate = pytest.importorskip("evaluate")
    monkeypatch.setattr(evaluate.config, "HF_METRICS_CACHE", tmp_path)
    monkeypatch.setattr(evaluate.config, "HF_EVALUATE_OFFLINE", True)


def test_a_module_loads_by_its_path_and_scores() -> None:
    module = load_module("bleu")
    figures = module.compute(predictions=list(TOLD), references=[list(texts) for texts in TRUTH], per_report=True)
    assert figures["bleu_4"] == pytest.approx(STORED["bleu_4"][0])
    assert figures["per_report"]["bleu_1"] == pytest.approx(STORED["bleu_1"][1])


def test_modules_combine_and_take_batches() -> None:
    import evaluate

    together = evaluate.combine([module_path(name) for name in ("bleu", "rouge_l", "cider")])
    for told, truth in zip(TOLD, TRUTH, strict=True):
        together.add_batch(predictions=[told], references=[list(truth)])
    figures = together.compute()
    assert {name: figures[name] for name in ("bleu_1", "rouge_l", "cider")} == pytest.approx(
        {name: STORED[name][0] for name in ("bleu_1", "rouge_l", "cider")}
    )


def test_compute_without_evaluate_gives_the_same() -> None:
    truth = [texts[0] for texts in TRUTH]
    module = load_module("rouge_l").compute(predictions=list(TOLD), references=truth)
    assert compute(predictions=TOLD, references=truth, metrics=["rouge_l"])["rouge_l"] == module["rouge_l"]


def test_every_metric_has_a_module_of_its_name() -> None:
    for name in METRICS:
        folder = Path(module_path(name))
        assert f'metric = "{name}"' in (folder / f"{folder.name}.py").read_text(encoding="utf-8")


def test_unknown_and_missing_metrics_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="expected one of bleu, rouge_l"):
        open_metric("bertscore")
    with pytest.raises(ConfigError, match="expected one of bleu, rouge_l"):
        module_path("bertscore")
    monkeypatch.setattr("evaluation.text.registry.METRICS", {"away": "evaluation.not_here:Metric"})
    with pytest.raises(MetricUnavailable, match=r"away: needs the Python module evaluation\.not_here"):
        open_metric("away")
