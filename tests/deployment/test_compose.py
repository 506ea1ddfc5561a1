"""The compose file: valid by the schema of compose files, closed as far as each service can be."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cli.main import build_parser
from tests.deployment.dockerfile import DEPLOYMENT, stages_of

SCHEMA = Path(__file__).parent / "data" / "compose-spec.json"
SERVICES = ("app", "worker", "listener", "database")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOYMENT / "compose.yaml").read_text(encoding="utf-8"))
    return content


def test_it_is_a_compose_file(compose: dict[str, Any]) -> None:
    jsonschema.validate(compose, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert tuple(compose["services"]) == SERVICES


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_closed(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service["user"].startswith(("0", "root"))
    assert service["mem_limit"]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert any(mount.startswith("/tmp:size=") for mount in service["tmpfs"])
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & service.keys()


def test_images_are_pinned_by_version(compose: dict[str, Any]) -> None:
    assert re.fullmatch(r"postgres:15\.\d+-bookworm", compose["services"]["database"]["image"])
    assert all(
        re.fullmatch(r"spinescribe:\d+\.\d+\.\d+", compose["services"][name]["image"]) for name in SERVICES[:3]
    )


def test_secrets_come_by_files_and_stand_nowhere(compose: dict[str, Any]) -> None:
    told = {name: value for name in SERVICES for name, value in compose["services"][name]["environment"].items()}
    secret = {name: value for name, value in told.items() if re.search("PASSWORD|SECRET|KEY", name)}
    assert secret
    assert all(name.endswith("_FILE") and value.startswith("/run/secrets/") for name, value in secret.items())
    used = {Path(value).name for value in secret.values()}
    assert used == set(compose["secrets"])
    assert ":" not in told["SPINESCRIBE_DATABASE_URL"].split("//")[1].split("@")[0]


def test_the_listener_is_started_only_when_asked_for(compose: dict[str, Any]) -> None:
    profiles = {name: compose["services"][name].get("profiles") for name in SERVICES}
    assert profiles == {"app": None, "worker": None, "listener": ["pacs"], "database": None}


def test_application_and_listener_are_reached_and_only_from_this_machine(compose: dict[str, Any]) -> None:
    ports = {name: compose["services"][name].get("ports") for name in SERVICES}
    dicom = ["${SPINESCRIBE_DICOM_ADDRESS:-127.0.0.1}:11112:11112"]
    assert ports == {"app": ["127.0.0.1:7860:7860"], "worker": None, "listener": dicom, "database": None}
    assert compose["networks"]["inside"]["internal"] is True
    assert compose["services"]["worker"]["networks"] == compose["services"]["database"]["networks"] == ["inside"]


def test_it_fits_the_image(compose: dict[str, Any]) -> None:
    _, final = stages_of((DEPLOYMENT / "Dockerfile").read_text(encoding="utf-8"))
    (user,) = [step.value for step in final if step.word == "USER"]
    (volumes,) = [step.words for step in final if step.word == "VOLUME"]
    for name in SERVICES[:3]:
        service = compose["services"][name]
        assert service["user"] == user
        assert [mount.split(":")[1] for mount in service["volumes"]] == volumes
        assert service["build"] == {"context": "..", "dockerfile": "deployment/Dockerfile"}
    assert compose["services"]["worker"]["command"] == ["worker"]
    build_parser().parse_args(compose["services"]["listener"]["command"])
    job_mb = int(compose["services"]["worker"]["environment"]["SPINESCRIBE_JOB_MEMORY_MB"])
    assert job_mb < int(compose["services"]["worker"]["mem_limit"].rstrip("g")) * 1024


def test_every_setting_is_one_we_read(compose: dict[str, Any]) -> None:
    read = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (DEPLOYMENT.parent / "service" / "config.py", DEPLOYMENT.parent / "runtime" / "settings.py")
    )
    for name in SERVICES[:3]:
        for setting in compose["services"][name]["environment"]:
            known = setting.removesuffix("_FILE")
            assert known in read or known == "FORWARDED_ALLOW_IPS", setting
