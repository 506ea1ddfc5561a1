"""Malformed input made by the tests: each case writes its files and says what must come of them."""

from imaging.limits import Limits
from tests.imaging.corpus.registry import SECRETS, Case, Group

__all__ = ["CORPUS_LIMITS", "GROUPS", "SECRETS", "Case", "Group", "load_group"]

CORPUS_LIMITS = Limits(entries=1000, elements=50_000, zip_ratio_from_bytes=32 * 1024**2)
"""A tenth of the defaults, so that the bombs are quick to make."""

GROUPS = ("archives", "dicom", "encapsulated", "folders", "nesting", "pictures", "volumes")


def load_group(name: str) -> Group:
    """Return the cases of one group."""
    from importlib import import_module

    assert name in GROUPS, name
    group: Group = import_module(f"tests.imaging.corpus.{name}").GROUP
    return group
