"""The inbox: bounded, whole after errors, and what cannot be compared is not the same."""

from pathlib import Path

import pytest

from imaging.dicom.values import BROKEN
from service.pacs import inbox as module
from service.pacs.inbox import FullError, Inbox, Stored, hash_of
from service.pacs.part10 import is_same, uids_of
from tests.pacs.slices import write_study

META = bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + bytes(4)


def content(data: bytes) -> bytes:
    return META + data


def test_an_instance_is_stored_once_and_room_is_given_back(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, max_bytes=2 * len(content(b"12345678")))
    assert inbox.store("1.2", "1.2.3", content(b"12345678"), sender="MR1") is Stored.NEW
    assert inbox.store("1.2", "1.2.3", content(b"12345678"), sender="MR1") is Stored.SAME
    assert inbox.store("1.2", "1.2.3", content(b"87654321"), sender="MR1") is Stored.ASIDE
    with pytest.raises(FullError):
        inbox.store("1.2", "1.2.4", content(b"12345678"), sender="MR1")
    inbox.take(hash_of("1.2"))
    (delivery,) = inbox.taken()
    assert (delivery.sender, delivery.is_unfinished, len(delivery.files)) == ("MR1", True, 1)
    inbox.drop(delivery)
    assert inbox.store("1.2", "1.2.4", content(b"12345678"), sender="MR1") is Stored.NEW
    inbox.close()


def test_a_disk_error_keeps_nothing_and_gives_the_room_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_folder: Path, _content: bytes) -> Path:
        raise OSError(28, "No space left on device")

    inbox = Inbox(tmp_path, max_bytes=len(content(b"12345678")))
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_synced", fail)
        with pytest.raises(OSError, match="No space left"):
            inbox.store("1.2", "1.2.3", content(b"12345678"), sender="MR1")
    assert not list(tmp_path.rglob("*.dcm"))
    assert inbox.store("1.2", "1.2.3", content(b"12345678"), sender="MR1") is Stored.NEW
    inbox.close()


def test_a_further_delivery_waits_for_the_one_before(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, max_bytes=10**6)
    study = hash_of("1.2")
    inbox.store("1.2", "1.2.3", content(b"12345678"), sender="MR1")
    assert inbox.quiet(60.0, set()) == []
    assert inbox.quiet(0.0, {study}) == []
    assert inbox.quiet(0.0, set()) == [study]
    inbox.take(study)
    inbox.store("1.2", "1.2.4", content(b"12345678"), sender="MR1")
    inbox.take(study)
    assert [len(delivery.files) for delivery in inbox.taken()] == [1]
    assert inbox.quiet(0.0, set()) == [study]
    inbox.close()


def test_who_ended_in_order_left_nothing_unfinished(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, max_bytes=10**6)
    for uid in ("1.2", "1.3"):
        inbox.store(uid, uid + ".3", content(b"12345678"), sender="MR1")
        inbox.take(hash_of(uid)) if uid == "1.3" else None
    inbox.mark_finished("1.2")
    inbox.mark_finished("1.3")
    inbox.mark_unfinished("1.4")
    inbox.take(hash_of("1.2"))
    found = {delivery.study: delivery.is_unfinished for delivery in inbox.taken()}
    assert found == {hash_of("1.2"): False, hash_of("1.3"): True}
    inbox.close()


def test_what_cannot_be_compared_is_not_the_same() -> None:
    assert is_same(content(b"12345678"), content(b"12345678"))
    assert not is_same(content(b"12345678"), content(b"\xff" * 8))


@pytest.mark.parametrize("cut", range(0, 400, 37))
def test_damaged_bytes_raise_only_what_is_expected(cut: int, tmp_path: Path) -> None:
    whole = write_study(tmp_path, "damaged", series=1, slices=1).files[0].read_bytes()
    for damaged in (whole[: 140 + cut], whole[: 400 + cut] + b"\xff\xfe" * 8 + whole[420 + cut :]):
        try:
            assert len(uids_of(damaged)) == 2
        except BROKEN:
            continue
