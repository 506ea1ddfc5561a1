"""kill -9 of the listener at every point: what was confirmed is there, once."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread

from service.services import Services
from tests.pacs.arriving import (
    Running,
    associate,
    config_of,
    deliveries,
    jobs,
    lines,
    running,
    send,
    status_of,
    studies,
)
from tests.pacs.killable import POINTS, kill, start, wait_for
from tests.pacs.slices import SmallStudy, write_study
from tests.service.conftest import add_user

pytestmark = pytest.mark.pacs


@pytest.fixture
def study(tmp_path: Path) -> SmallStudy:
    return write_study(tmp_path / "sent", "killed")


def check_taken_in_once(services: Services, there: Running) -> None:
    there.settle(lambda: not list((services.config.work_dir / "pacs").rglob("*.dcm")))
    assert len(studies(services)) == len(deliveries(services)) == len(jobs(services)) == 1
    assert len(lines(services, "study.arrive")) == 1
    assert len(deliveries(services)[0].instances) == 6
    assert services.blobs.check(studies(services)[0].upload_sha256)


@pytest.mark.parametrize("point", POINTS)
def test_killed_while_taking_in(services: Services, study: SmallStudy, tmp_path: Path, point: str) -> None:
    add_user(services, "rad")
    process, port = start(services.config, config_of(), point, tmp_path / "run")
    assert send(port, *study.files) == [0] * 6
    wait_for(tmp_path / "run" / "there")
    kill(process)
    with running(services) as there:
        check_taken_in_once(services, there)


def test_killed_while_storing(services: Services, study: SmallStudy, tmp_path: Path) -> None:
    add_user(services, "rad")
    chance, patient = random.Random(9), config_of(quiet_s=600.0)
    confirmed: set[str] = set()
    for number in range(3):
        process, port = start(services.config, patient, "", tmp_path / f"run-{number}")
        association = associate(port)
        for file in study.files[: chance.randint(1, 5)]:
            dataset = dcmread(file)
            assert status_of(association.send_c_store(dataset)) == 0
            confirmed.add(dataset.SOPInstanceUID)
        kill(process)
        association.kill()
        assert len(list((services.config.work_dir / "pacs" / "arriving").rglob("*.dcm"))) == len(confirmed)
    with running(services) as there:
        assert send(there.port, *study.files) == [0] * 6
        check_taken_in_once(services, there)
    assert lines(services, "study.arrive")[0].details["is_broken_off"] is False


def test_killed_and_never_sent_again_is_told(services: Services, study: SmallStudy, tmp_path: Path) -> None:
    add_user(services, "rad")
    process, port = start(services.config, config_of(quiet_s=600.0), "", tmp_path / "run")
    association = associate(port)
    assert status_of(association.send_c_store(dcmread(study.files[0]))) == 0
    kill(process)
    association.kill()
    (services.config.work_dir / "pacs" / "part" / "half").write_bytes(b"DIC")
    with running(services) as there:
        there.settle(lambda: bool(studies(services)))
    assert "1 instance from" in studies(services)[0].label
    assert "broke off" in studies(services)[0].label
    assert not list((services.config.work_dir / "pacs" / "part").iterdir())


def test_only_one_listener_owns_the_folder(services: Services) -> None:
    from runtime.errors import ConfigError
    from service.pacs.listen import open_inbox

    with running(services), pytest.raises(ConfigError, match="another listener"):
        open_inbox(services, config_of())


def test_an_owner_who_does_not_exist_ends_it_at_once(services: Services) -> None:
    from threading import Event

    from runtime.errors import ConfigError
    from service.pacs.listen import listen

    stop = Event()
    with pytest.raises(ConfigError, match="no user 'rad'"):
        listen(services, config_of(), stop=stop)
    add_user(services, "rad", group="Spine")
    with pytest.raises(ConfigError, match="expected a group of the user"):
        listen(services, replace(config_of(), group="Heart"), stop=stop)
