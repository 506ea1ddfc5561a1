"""Malformed input made by the tests: each case writes its files and says what must come of them."""

from tests.imaging.corpus.registry import SECRETS, Case, Group

__all__ = ["SECRETS", "Case", "Group", "load_group"]

GROUPS = ("archives", "folders", "pictures", "volumes")


def load_group(name: str) -> Group:
    """Return the cases of one group."""
    from importlib import import_module

    assert name in GROUPS, name
    group: Group = import_module(f"tests.imaging.corpus.{name}").GROUP
    return group
