"""Write what was fitted for naming: the package's tables and the heads' weights."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml
from safetensors.numpy import save_file

from anatomy import load_protocol
from runtime.weights import seal_weights
from segmentation.naming import TERMS, WEIGHTS, LevelNaming
from segmentation.training.naming_cases import NamingCase

_PACKAGE = Path(__file__).parents[1]
_SEEN = "SPIDER, held-out predictions on T2 middle slices numbered by reference points"
_HEAD = """\
# Naming of levels (segmentation/naming.py). Written by `python -m segmentation.training.naming`; every number was
# counted or fitted on held-out predictions on SPIDER's T2 middle slices with reference points.
# end: shares; vertebra_below: [share of vertebra up to, when the lowest disc is L5-S1, when it is a higher one];
# answer_below and faint_below: below L5-S1, below a higher disc. weights: of the kinds of evidence, with the
# junction's head and alone. sure: a name less probable than this is doubtful.
"""


def write_tables(naming: LevelNaming, cases: Sequence[NamingCase], folder: Path = _PACKAGE) -> None:
    """Write ``steps.csv``, ``discs.csv`` and ``naming.yaml``; rows that were not fitted keep their source."""
    tables = naming.tables
    steps, discs = _counts(cases)
    rows = _read(folder / "steps.csv")
    for row in rows:
        usual = tables.steps[row["upper"], row["lower"]]
        if f"{usual.step:.2f}" != row["step"] or f"{usual.tilt_deg:.1f}" != row["tilt_deg"]:
            row["source"], row["patients"] = _SEEN, str(steps[row["upper"], row["lower"]])
        row["step"], row["tilt_deg"] = f"{usual.step:.2f}", f"{usual.tilt_deg:.1f}"
    _write(folder / "steps.csv", rows)
    rows = _read(folder / "discs.csv")
    for row in rows:
        length = f"{tables.lengths[row['level']]:.2f}"
        if length != row["length"]:
            row["source"] = f"{_SEEN}: disc length over the median of its slice, {discs[row['level']]} discs"
        row["length"] = length
    _write(folder / "discs.csv", rows)
    (folder / "naming.yaml").write_text(_HEAD + _yaml(naming), encoding="utf-8")


def write_heads(naming: LevelNaming, cases: Sequence[NamingCase], folder: Path) -> None:
    """Write ``weights/level-naming``; the model card beside it is kept."""
    heads = {"t2": naming.t2, "maps_only": naming.maps_only}
    folder.mkdir(parents=True, exist_ok=True)
    tensors, channels = {}, {}
    for name, head in heads.items():
        assert head is not None
        tensors[f"{name}.weights"] = np.ascontiguousarray(head.weights, dtype=np.float32)
        tensors[f"{name}.bias"] = np.ascontiguousarray(head.bias, dtype=np.float32)
        channels[name] = list(head.channels)
    save_file(tensors, folder / "model.safetensors")
    config = {"channels": channels, "patients": sorted({case.patient for case in cases})}
    (folder / "config.json").write_text(json.dumps(config) + "\n", encoding="utf-8")
    seal_weights(folder)


def weights_folder(weights_dir: Path) -> Path:
    """Return where the heads lie."""
    return weights_dir / WEIGHTS


def _yaml(naming: LevelNaming) -> str:
    tables = naming.tables
    content = {
        "end": {
            "lumbosacral": round(tables.end.lumbosacral, 3),
            "vertebra_below": [[round(value, 3) for value in row] for row in tables.end.vertebra_below],
            "sacrum_below": [[round(value, 3) for value in row] for row in tables.end.sacrum_below],
            "answer_below": [round(value, 3) for value in tables.end.answer_below],
            "faint_below": [round(value, 3) for value in tables.end.faint_below],
        },
        "weights": {term: round(tables.weights[term], 4) for term in TERMS},
        "weights_alone": {term: round(tables.weights_alone[term], 4) for term in TERMS if term != "junction"},
        "sure": round(tables.sure, 2),
        "sure_alone": round(tables.sure_alone, 2),
    }
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110)


def _counts(cases: Sequence[NamingCase]) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Return how often each pair of neighbours and each disc was seen with a known name."""
    names = ("", *load_protocol("lumbar").named_levels, "")
    pairs, discs = Counter[tuple[str, str]](), Counter[str]()
    for case in cases:
        given = [names[state] if state is not None else "" for state in case.states]
        discs.update(name for name in given if name)
        pairs.update(pair for pair in pairwise(given) if all(pair))
    return pairs, discs


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _write(file: Path, rows: list[dict[str, str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
