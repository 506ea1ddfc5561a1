"""Words that a sentence may hold beside those of the phrase files (``templates/wording.yaml``)."""

from functools import cache

from reporting.phrases import read_template


@cache
def neutral_words() -> frozenset[str]:
    """Return the words of facts that say no more than the fact does."""
    return frozenset(read_template("wording.yaml")["neutral"])


@cache
def glue_words() -> frozenset[str]:
    """Return the words that say nothing of the spine."""
    return frozenset(read_template("wording.yaml")["glue"])
