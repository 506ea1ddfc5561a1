"""BLEU, ROUGE-L and CIDEr of ours beside pycocoevalcap's: the largest difference, and the time on 1,000 pairs.

    python -m benchmarks.text_metrics [--meteor 100] [--repeats 3]

The pairs are those of ``benchmarks.text_pairs``. pycocoevalcap does all of its part itself: its Java tokeniser on
the raw texts, then its scorers. Each set is a corpus of its own, and so are all together; the differences are the
largest over corpus figures and over reports. Times are of tokenisation and the three metrics, one process each,
with nothing kept from the run before; both are timed in turn. ``--meteor`` compares METEOR on so many pairs (ASCII
ones: the original hands other characters to Java in the system's encoding). Needs Java and SPINESCRIBE_DATA.
Writes ``runs/benchmarks/text_metrics.json``.
"""

import argparse
import contextlib
import io
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.text_pairs import PairSet, pair_sets
from evaluation.text import OFFLINE, open_metric
from evaluation.text.corpus import forget_texts
from runtime.settings import load_settings

OUT = Path("runs/benchmarks/text_metrics.json")
NAMES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider")
TIMED = 1000
Figures = dict[str, tuple[float, NDArray[np.float64]]]
"""Name -> corpus figure and those of reports."""


def ours(pairs: PairSet) -> Figures:
    """Score a set with ``evaluation.text``."""
    forget_texts()
    figures: Figures = {}
    for metric in OFFLINE:
        scores = open_metric(metric).score(pairs.predictions, pairs.references)
        figures |= {name: (scores.corpus[name], scores.per_report[name]) for name in scores.corpus}
    return figures


def theirs(pairs: PairSet) -> Figures:
    """Score a set with pycocoevalcap alone."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    told, truth = their_tokens(pairs)
    bleu, bleu_reports = Bleu(4).compute_score(truth, told, verbose=0)
    figures = {f"bleu_{n + 1}": (float(bleu[n]), np.asarray(bleu_reports[n])) for n in range(4)}
    for name, scorer in (("rouge_l", Rouge()), ("cider", Cider())):
        figure, reports = scorer.compute_score(truth, told)
        figures[name] = (float(figure), np.asarray(reports))
    return figures


def their_tokens(pairs: PairSet) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Return predictions and references as pycocoevalcap's Java tokeniser gives them."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenizer = PTBTokenizer()
    told = {place: [{"caption": text}] for place, text in enumerate(pairs.predictions)}
    truth = {place: [{"caption": text} for text in texts] for place, texts in enumerate(pairs.references)}
    return tokenizer.tokenize(told), tokenizer.tokenize(truth)


def largest_difference(first: Figures, second: Figures) -> dict[str, float]:
    """Return for each name the largest difference over the corpus figure and all reports."""
    return {
        name: float(max(abs(first[name][0] - second[name][0]), np.abs(first[name][1] - second[name][1]).max()))
        for name in first
    }


def joined(name: str, sets: Sequence[PairSet], *, most: int | None = None, references: int = 3) -> PairSet:
    """Return sets as one, interleaved, at most so many pairs with so many references each."""
    rows = [
        (text, texts[:references])
        for pairs in sets
        for text, texts in zip(pairs.predictions, pairs.references, strict=True)
    ]
    order = np.random.default_rng(0).permutation(len(rows))[:most]
    chosen = [rows[int(place)] for place in order]
    return PairSet(name, tuple(text for text, _ in chosen), tuple(texts for _, texts in chosen))


def times(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Time calls in turn, so that what else the machine does falls on all of them."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            with contextlib.redirect_stderr(io.StringIO()):
                call()
            spent[name].append(time.perf_counter() - start)
    return spent


def meteor_difference(sets: Sequence[PairSet], pairs: int) -> float:
    """Return the largest difference of METEOR from pycocoevalcap's, both on our tokens."""
    from pycocoevalcap.meteor.meteor import Meteor

    from evaluation.text.tokens import tokenise

    plain = [item for item in sets if item.name == "notes" or item.name.startswith("grammar")]
    chosen = joined("meteor", plain, most=pairs)
    rows = [
        row
        for row in zip(chosen.predictions, chosen.references, strict=True)
        if "".join((row[0], *row[1])).isascii()
    ]
    told, truth = [text for text, _ in rows], [texts for _, texts in rows]
    mine = open_metric("meteor").score(told, truth)
    figure, reports = Meteor().compute_score(
        {place: [tokenise(text) for text in texts] for place, texts in enumerate(truth)},
        {place: [tokenise(text)] for place, text in enumerate(told)},
    )
    return float(max(abs(mine.corpus["meteor"] - figure), np.abs(mine.per_report["meteor"] - reports).max()))


def main() -> None:
    """Compare, time, print both tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--notes", type=int, default=800)
    parser.add_argument("--grammar", type=int, default=60, help="pairs for each region and style")
    parser.add_argument("--odd", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--meteor", type=int, default=100, help="pairs to compare METEOR on; 0 leaves it out")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    sets = list(pair_sets(load_settings().data_dir, notes=options.notes, grammar=options.grammar, odd=options.odd))
    result: dict[str, Any] = {"parity": {}}
    print(f"| texts | pairs | {' | '.join(NAMES)} |\n|---|---|{'---|' * len(NAMES)}")
    for pairs in (*sets, joined("all together", sets)):
        row = largest_difference(ours(pairs), theirs(pairs))
        result["parity"][pairs.name] = {"pairs": len(pairs.predictions), **row}
        print(
            f"| {pairs.name} | {len(pairs.predictions)} | {' | '.join(f'{row[name]:.0e}' for name in NAMES)} |",
            flush=True,
        )
    if options.meteor:
        result["meteor"] = {"pairs": options.meteor, "difference": meteor_difference(sets, options.meteor)}
        print(f"\nMETEOR, {options.meteor} pairs: {result['meteor']['difference']:.0e}")
    chosen = joined("timed", [item for item in sets if item.name != "odd"], most=TIMED, references=1)
    words = statistics.mean(len(text.split()) for text in chosen.predictions)
    spent = times({"ours": lambda: ours(chosen), "pycocoevalcap": lambda: theirs(chosen)}, options.repeats)
    print(f"\n{len(chosen.predictions)} pairs of {words:.0f} words on average, {options.repeats} runs in turn\n")
    print("| | median, s | best, s |\n|---|---|---|")
    for name, seconds in spent.items():
        print(f"| {name} | {statistics.median(seconds):.3f} | {min(seconds):.3f} |")
    ratios = [statistics.median(spent["pycocoevalcap"]) / statistics.median(spent["ours"]),
              min(spent["pycocoevalcap"]) / min(spent["ours"])]  # fmt: skip
    print(f"| times as fast | {ratios[0]:.1f} | {ratios[1]:.1f} |")
    result["speed"] = {"pairs": len(chosen.predictions), "words": words, "seconds": spent, "ratios": ratios}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
