"""Texts as the caption metrics see them: Penn Treebank tokens, lower case, punctuation left out; no Java.

The same strings as ``pycocoevalcap.tokenizer.ptbtokenizer.PTBTokenizer`` gives (Stanford CoreNLP 3.4.1 with
``-preserveLines -lowerCase``, then the tokens of ``PUNCTUATION`` removed); parity: docs/metrics/bleu.md. Brackets
stay, as ``-lrb-`` and ``-rrb-``: that tokeniser removes ``-LRB-``, but has made it lower case before.

Two oddities of the original are not repeated. It reads all texts as the lines of one file, so a carriage return,
form feed or other line break inside a text shifts every later text by a line; here they are blanks. And whether a
text that ends with "No." keeps its stop hangs there on how the next text begins.
"""

import re
from functools import lru_cache

from evaluation.text.treebank import split

PUNCTUATION = frozenset(("''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"))
"""Tokens that are removed. Source: pycocoevalcap 1.2, tokenizer/ptbtokenizer.py, PUNCTUATIONS."""

_TAG = re.compile(r"<[A-Za-z/!?]")
_GAP = re.compile(
    r"(?<!\s)(?!(?<=[0-9)])\s[(0-9])(?!(?<=\.)\s[0-9])(?!(?<![A-Za-z][A-Za-z]\.)(?<=[A-Za-z]\.)\s+[A-Z])\s+"
)
"""Blanks that no token reaches over and no rule looks behind: not those in numbers, ``No. 5`` and ``L. The``."""


def tokenise(text: str) -> str:
    """Return the tokens of a text joined by blanks; empty if nothing but punctuation is there."""
    pieces = [text] if _TAG.search(text) else _GAP.split(text)
    return " ".join(filter(None, map(_tokens_of, pieces)))


@lru_cache(maxsize=1 << 16)
def _tokens_of(text: str) -> str:
    return " ".join(token for token in split(text) if token not in PUNCTUATION)


def forget_tokens() -> None:
    """Drop the tokens that are kept of words already seen."""
    _tokens_of.cache_clear()
