"""Passwords: which are accepted, how they are kept."""

import pytest
from argon2 import PasswordHasher

from service.accounts import passwords
from service.accounts.passwords import check_new_password, hash_password, needs_rehash, verify
from service.errors import InvalidError


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "12 to 256"),
        ("", "12 to 256"),
        ("x" * 257, "12 to 256"),
        ("aaaaaaaaaaaaaaaa", "different"),
        ("123412341234", "different"),
        ("jane.doe and more", "your name"),
        ("I am Mansfield today", "your name"),
        ("my SpineScribe password", "your name"),
    ],
)
def test_weak_passwords_are_refused_with_the_reason(password: str, words: str) -> None:
    with pytest.raises(InvalidError, match=words) as caught:
        check_new_password(password, name="jane.doe", display_name="Dr Jane Mansfield")
    assert password == "" or password not in str(caught.value)


def test_a_long_phrase_is_accepted() -> None:
    check_new_password("correct horse battery", name="jo", display_name="Dr Jo")
    check_new_password("Übergrößenträger 7", name="al")


def test_the_hash_is_argon2id_with_a_salt_of_its_own() -> None:
    first, second = hash_password("correct horse battery"), hash_password("correct horse battery")
    assert first.startswith("$argon2id$")
    assert first != second
    assert verify(first, "correct horse battery")
    assert not verify(first, "correct horse batterx")


def test_the_default_parameters_are_at_least_those_of_owasp() -> None:
    hasher = PasswordHasher()
    assert hasher.memory_cost >= 19 * 1024
    assert hasher.time_cost >= 2


def test_accents_composed_by_another_keyboard_are_the_same_password() -> None:
    assert verify(hash_password("cafe\u0301 au lait fort"), "caf\u00e9 au lait fort")


@pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$v=19$broken"])
def test_nobody_and_broken_hashes_are_refused(stored: str | None) -> None:
    assert not verify(stored, "a password of nobody")


def test_a_very_long_guess_costs_no_more_than_a_password() -> None:
    assert not verify(hash_password("correct horse battery"), "x" * 10_000_000)


def test_new_parameters_ask_for_a_new_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    old = hash_password("correct horse battery")
    assert not needs_rehash(old)
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=2, memory_cost=2048))
    assert needs_rehash(old)
    assert verify(old, "correct horse battery")


@pytest.mark.parametrize("is_known", [True, False])
def test_an_unknown_name_takes_as_much_work_as_a_wrong_password(
    monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    """Work is counted, not timed: one check, of a hash with the parameters in use."""
    stored = hash_password("correct horse battery") if is_known else None
    checked: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            checked.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "_hasher", Counting(time_cost=1, memory_cost=1024))
    assert not verify(stored, "a wrong password")
    [used] = checked
    assert not needs_rehash(used)
