"""The units: accepted by systemd, hardened, and naming commands that exist."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from cli.main import build_parser
from tests.deployment.dockerfile import DEPLOYMENT

UNITS = DEPLOYMENT / "systemd"
SERVICES = (
    "spinescribe.service", "spinescribe-worker.service", "spinescribe-pacs.service", "spinescribe-backup.service",
)  # fmt: skip
HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelModules": "yes",
    "ProtectControlGroups": "yes",
    "RestrictSUIDSGID": "yes",
    "CapabilityBoundingSet": "",
    "UMask": "0077",
    "User": "spinescribe",
}


class _Many(dict[str, object]):
    """Keeps every value of a key that comes more than once."""

    def __setitem__(self, key: str, value: object) -> None:
        if isinstance(value, list) and isinstance(self.get(key), list):
            value = [*self[key], *value]  # type: ignore[misc]
        super().__setitem__(key, value)


def unit(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(
        strict=False, dict_type=_Many, delimiters=("=",), comment_prefixes=("#",)
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((UNITS / name).read_text(encoding="utf-8"))
    return parser


@pytest.mark.parametrize("name", SERVICES)
def test_services_may_touch_their_home_alone(name: str) -> None:
    section = dict(unit(name)["Service"])
    assert {key: section[key] for key in HARDENED} == HARDENED
    text = (UNITS / name).read_text(encoding="utf-8")
    assert "LoadCredential=secret_key:" in text
    assert "SPINESCRIBE_SECRET_KEY_FILE=%d/secret_key" in text
    assert not [line for line in text.splitlines() if "PASSWORD=" in line or "SECRET_KEY=" in line]


def test_the_commands_exist() -> None:
    for name in SERVICES[:3]:
        program, *words = unit(name)["Service"]["ExecStart"].split()
        assert program == "/opt/spinescribe/bin/spinescribe"
        build_parser().parse_args(words)
    assert unit(SERVICES[3])["Service"]["ExecStart"].split()[0] == "/opt/spinescribe/bin/spinescribe-backup"


@pytest.mark.parametrize("name", [*SERVICES, "spinescribe-backup.timer"])
def test_systemd_takes_them(name: str, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here (Debian package systemd)")
    for other in UNITS.iterdir():
        text = other.read_text(encoding="utf-8").replace("/opt/spinescribe/bin/", f"{tmp_path}/")
        (tmp_path / other.name).write_text(text, encoding="utf-8")
    for program in ("spinescribe", "spinescribe-backup"):
        (tmp_path / program).write_text("#!/bin/sh\n", encoding="ascii")
        (tmp_path / program).chmod(0o755)
    done = subprocess.run([analyze, "verify", tmp_path / name], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "spinescribe" in line]
    assert (done.returncode, told) == (0, [])
