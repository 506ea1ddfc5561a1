"""Tokens as Stanford CoreNLP 3.4.1 cuts them; the expected ones are that tokeniser's own output."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.text.tokens import PUNCTUATION, tokenise
from evaluation.text.treebank import split

_SEEN = {
    "L4-L5 level: disc bulge (mild), 9.8 mm.": "l4-l5 level disc bulge -lrb- mild -rrb- 9.8 mm",
    "L4/L5 &L5/S1 levels,mildly": "l4/l5 & l5/s1 levels mildly",
    "// Evidence /// L5/S1. //L4-5": "/ / evidence / / / l5/s1 / / l4-5",
    "5mm 9.8mm 1.5T 10% 3x4": "5mm 9.8 mm 1.5 t 10 % 3x4",
    "1/2 12/03/2014 2014-01-01 15:30 1,000.5 .5 +5 -5 3-4mm": (
        "1/2 12/03/2014 2014-01-01 15:30 1,000.5 .5 +5 -5 3-4mm"
    ),
    "a 1 1/2 cm": "a 1\xa01/2 cm",
    "e.g. this, etc. and vs. other approx. 5": "e.g. this etc. and vs. other approx 5",
    "No. 5 but no. Fig. 3 Dr. Smith": "no. 5 but no fig. 3 dr. smith",
    "the patient's disc doesn't cannot it's we'll": "the patient 's disc does n't can not it 's we 'll",
    "don’t “smart” ‘quotes’": "do n't smart quotes",
    "[b] {c} <5mm >5": "-lsb- b -rsb- -lcb- c -rcb- < 5mm > 5",
    "word.Next word,Next L5.S1 5.L5": "word.next word next l5.s1 5 l5",
    "C3/4/5/6 T2-weighted T2.-weighted mild,left-sided": "c3/4/5 / 6 t2-weighted t2.-weighted mild,left-sided",
    "level., then": "level. then",
    "in L. The disc": "in l the disc",
    "in L. Disc": "in l. disc",
    "a–b a--b a-b - … ...": "a b a b a-b",
    "naïve 5µm ±2 30° m² ½ €5": "naïve 5µm ± 2 30 ° m ² 1/2 $ 5",
    "x\u200by \U0001f600 soft\u00adhyphen": "x y softhyphen",
    "AT&T R&D a&b &amp;": "at&t r&d a & b &",
    "what?! !! ?": "what ?! !!",
    "<a b> www.x.org x@y.org.": "<a\xa0b> www.x.org x@y.org",
    "one\rtwo\u2028three": "one two three",
    ". , -- '": "",
    "": "",
}


@pytest.mark.parametrize("text", _SEEN)
def test_tokens_are_those_of_the_original(text: str) -> None:
    assert tokenise(text) == _SEEN[text]


@settings(max_examples=50)
@given(st.text(alphabet="aAe15 .-/,:'s(T)<No’µ", max_size=40))
def test_text_cut_at_blanks_gives_the_tokens_of_the_whole(text: str) -> None:
    assert tokenise(text) == " ".join(token for token in split(text) if token not in PUNCTUATION)


@settings(max_examples=50)
@given(st.text(max_size=40))
def test_any_text_is_tokenised_without_blanks_in_tokens(text: str) -> None:
    assert all(token and not set(token) & set(" \t\r\n") for token in split(text))
