"""The bench without gradio: sentences to choose from and the picture of the one that is chosen."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import OverlayLayers
from service.workbench import OpenReading, Workbench
from tests.pipeline.fakes import fake_reader

BARE = OverlayLayers(structures=False, names=False)


def opened(folder: Path) -> tuple[Workbench, str]:
    bench = Workbench(fake_reader(), folder)
    *_, item = bench.read(Path("scan.png"))
    assert isinstance(item, OpenReading)
    return bench, item.token


def test_only_sentences_with_a_place_can_be_chosen(tmp_path: Path) -> None:
    bench, token = opened(tmp_path)
    assert bench.placed_sentences(token) == [
        ("findings: L4-L5: disc bulge.", 1),
        ("impression: Disc bulge at L4-L5.", 2),
    ]
    assert bench.placed_sentences("closed") == []


def test_the_picture_of_a_sentence_shows_its_box(tmp_path: Path) -> None:
    bench, token = opened(tmp_path)
    plain = bench.overlay(token, layers=BARE)
    shown = bench.sentence_overlay(token, 1, layers=BARE)
    assert plain is not None
    assert shown is not None
    before, after = (np.asarray(Image.open(io.BytesIO(png))) for png in (plain, shown))
    rows, _ = np.nonzero((before != after).any(axis=2))
    # The box of L4-L5 runs from row 140 to 160 of 240.
    assert 138 < rows.min() / (900 / 240) < rows.max() / (900 / 240) < 162


def test_a_sentence_without_a_place_or_a_closed_reading_has_no_picture(tmp_path: Path) -> None:
    bench, token = opened(tmp_path)
    assert bench.sentence_overlay(token, 0, layers=BARE) is None
    assert bench.sentence_overlay(token, 99, layers=BARE) is None
    assert bench.sentence_overlay("closed", 1, layers=BARE) is None
