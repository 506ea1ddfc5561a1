"""Bodies that are too large or too slow, over real sockets."""

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest
from fastapi.testclient import TestClient

from service.security import body_limit
from service.services import Services
from service.store.tables import User
from tests.service.accounts.conftest import PASSWORD
from tests.service.security.conftest import build_walled
from tests.service.serving import served_app

MIB = 2**20


def serve(services: Services) -> Iterator[str]:
    """Serve the walled application; yield host and port."""
    with served_app(build_walled(services), log_level="error") as address:
        yield address.removeprefix("http://")


@pytest.fixture
def small(services: Services) -> Services:
    """Return services that take uploads of 3 MiB."""
    return replace(services, config=replace(services.config, max_upload_bytes=3 * MIB))


@pytest.fixture
def address(small: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(body_limit, "STALL_S", 1.0)
    yield from serve(small)


@pytest.fixture
def signed_in(address: str, person: Callable[..., User]) -> dict[str, str]:
    """Return the headers of a signed-in browser."""
    person("jo")
    answer = httpx.post(f"http://{address}/api/v1/session", json={"name": "jo", "password": PASSWORD})
    token = answer.cookies["spinescribe"]
    return {"Cookie": f"spinescribe={token}", "X-CSRF-Token": answer.json()["csrf_token"]}


def chunks(total: int) -> Iterator[bytes]:
    """Yield a body without announcing its length."""
    for _ in range(total // 65536):
        yield bytes(65536)


class TestTooLarge:
    @pytest.mark.parametrize(
        ("path", "size", "status"),
        [("/api/v1/echo", MIB, 200), ("/api/v1/echo", MIB + 65536, 413), ("/api/v1/studies", 3 * MIB, 200),
         ("/api/v1/studies", 4 * MIB, 413), ("/research/gradio_api/queue/join", 4 * MIB, 413)],
    )  # fmt: skip
    @pytest.mark.parametrize("is_announced", [True, False])
    def test_the_limit(
        self, address: str, signed_in: dict[str, str], path: str, size: int, status: int, is_announced: bool
    ) -> None:
        content = bytes(size) if is_announced else chunks(size)
        headers = {**signed_in, "Origin": f"http://{address}"}
        answer = httpx.post(f"http://{address}{path}", content=content, headers=headers)
        assert answer.status_code == status
        assert answer.json() == {"bytes": size} if status == 200 else answer.json()["error"]["code"] == "too_large"

    def test_a_huge_announcement_is_refused_before_anything_is_sent(
        self, address: str, signed_in: dict[str, str]
    ) -> None:
        with knock(address, signed_in, 10**15, "Expect: 100-continue\r\n") as connection:
            assert b"413" in first_line(connection)

    def test_the_server_goes_on_serving(self, address: str, signed_in: dict[str, str]) -> None:
        for _ in range(3):
            httpx.post(f"http://{address}/api/v1/echo", content=bytes(2 * MIB), headers=signed_in)
        assert httpx.get(f"http://{address}/api/v1/session", headers=signed_in).status_code == 200


class TestTooSlow:
    def test_a_body_that_stalls_is_ended(self, address: str, signed_in: dict[str, str]) -> None:
        began = time.monotonic()
        with knock(address, signed_in, 1000) as connection:
            connection.sendall(b"x" * 10)
            assert b"408" in first_line(connection)
        assert 0.8 < time.monotonic() - began < 8

    def test_a_body_that_trickles_is_ended(self, address: str, signed_in: dict[str, str]) -> None:
        with knock(address, signed_in, 1000) as connection:
            connection.settimeout(0.2)
            for _ in range(40):
                try:
                    connection.sendall(b"x")
                    assert b"408" in connection.recv(200)
                    return
                except TimeoutError:
                    continue
        pytest.fail("the body went on trickling")

    def test_a_steady_body_may_take_longer_than_a_pause(self, address: str, signed_in: dict[str, str]) -> None:
        def steady() -> Iterator[bytes]:
            for _ in range(6):
                time.sleep(0.4)
                yield bytes(4096)

        answer = httpx.post(f"http://{address}/api/v1/echo", content=steady(), headers=signed_in, timeout=20)
        assert answer.json() == {"bytes": 6 * 4096}


def test_a_lying_length_does_not_help(small: Services, person: Callable[..., User]) -> None:
    person("jo")
    client = TestClient(build_walled(small))
    answer = client.post("/api/v1/session", json={"name": "jo", "password": PASSWORD})
    headers = {"X-CSRF-Token": answer.json()["csrf_token"], "Content-Length": "5"}
    assert client.post("/api/v1/echo", content=bytes(2 * MIB), headers=headers).status_code == 413


def knock(address: str, headers: dict[str, str], length: int, more: str = "") -> socket.socket:
    """Begin a request that announces a body, and send none of it."""
    host, _, port = address.partition(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST /api/v1/echo HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n{lines}{more}\r\n"
    connection.sendall(head.encode())
    return connection


def first_line(connection: socket.socket) -> bytes:
    return connection.recv(200).partition(b"\r\n")[0]
