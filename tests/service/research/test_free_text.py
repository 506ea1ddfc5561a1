"""What may leave without identity is known word by word; everything else goes."""

from typing import Any

import pytest

from service.research.free_text import MAX_CHARACTERS, Suspicion, suspicion_of


@pytest.mark.parametrize(
    "sentence",
    [
        "L4-L5: broad-based disc bulge with severe spinal canal stenosis (canal AP diameter 6.5 mm).",
        "Pfirrmann grade III, IV or V disc at L5/S1.",
        "Modic type 2 change, 3 x 4 mm, with STIR signal.",
        "Schmorl's node in the superior endplate of L3; no fracture.",
        "Grade 1 anterolisthesis of L4 on L5, 12% of the vertebral width.",
    ],
)
def test_report_language_stays(sentence: str) -> None:
    assert suspicion_of(sentence) is None


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Mrs Jane Miller has a disc bulge at L4-L5.", Suspicion.WORD),
        ("Discussed with smith.", Suspicion.WORD),
        ("Compared with the study of 12.03.2024.", Suspicion.NUMBER),
        ("Seen on 2024-03-12.", Suspicion.NUMBER),
        ("Disc bulge at L4-L5 (MRN 1234567).", Suspicion.NUMBER),
        ("Mild stenosis in this 57-year-old.", Suspicion.NUMBER),
        ("Stenosis at 5 Park Lane.", Suspicion.NUMBER),
        ("Disc bulge as in March.", Suspicion.WORD),
        ("Disc bulge, Long.", Suspicion.CAPITAL),
        ("Disc bulge LONG.", Suspicion.CAPITAL),
        ("Bulge <b>.", Suspicion.WORD),
        ("Disc bulge @ level.", Suspicion.SIGN),
        ("Müller: disc bulge.", Suspicion.WORD),
        ("disc " * MAX_CHARACTERS, Suspicion.LENGTH),
        ("L4-L512345 disc.", Suspicion.NUMBER),
        ("S1-12-34-56 disc.", Suspicion.NUMBER),
    ],
)
def test_a_name_a_date_a_record_number_makes_the_sentence_go(sentence: str, reason: Suspicion) -> None:
    assert suspicion_of(sentence) is reason


def test_our_own_sentences_stay_but_for_one_with_counts(document: dict[str, Any]) -> None:
    texts = [row["text"] for section in document["report"]["sections"] for row in section["sentences"]]
    lost = [text for text in texts if suspicion_of(text) is not None]
    assert len(texts) > 30
    assert [text.partition(" were")[0] for text in lost] == ["Modic types 1 and 3"]
