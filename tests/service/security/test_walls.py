"""Closed by default, same origin, headers, host names, faults."""

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from service.security import headers
from service.services import Services
from service.store.tables import User
from tests.service.accounts.conftest import PASSWORD, log_in
from tests.service.security.conftest import build_walled

JOIN = "/research/gradio_api/queue/join"


@pytest.fixture
def stranger(walled: FastAPI) -> TestClient:
    return TestClient(walled, raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def client(stranger: TestClient, person: Callable[..., User]) -> TestClient:
    person("jo")
    return log_in(stranger, "jo")


class TestGuard:
    @pytest.mark.parametrize(
        ("path", "target"),
        [
            ("/", "/login"),
            ("/worklist", "/login?next=%2Fworklist"),
            ("/worklist?status=ready&x=1", "/login?next=%2Fworklist%3Fstatus%3Dready%26x%3D1"),
            ("/no/such/page", "/login?next=%2Fno%2Fsuch%2Fpage"),
            ("//evil.example/x", "/login"),
        ],
    )
    def test_pages_lead_to_the_sign_in(self, stranger: TestClient, path: str, target: str) -> None:
        answer = stranger.get(f"http://testserver{path}")
        assert (answer.status_code, answer.headers["location"]) == (303, target)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/api/v1/session"),
            ("GET", "/api/v1/no-such-route"),
            ("GET", "/api/v1/openapi.json"),
            ("POST", "/api/v1/echo"),
            ("DELETE", "/api/v1/session"),
            ("POST", "/worklist"),
            ("POST", JOIN),
            ("GET", "/research/config"),
            ("OPTIONS", "/api/v1/echo"),
            ("GET", "/api/v1/session/oidc/../../users"),
        ],
    )
    def test_everything_else_is_401(self, stranger: TestClient, method: str, path: str) -> None:
        answer = stranger.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")

    @pytest.mark.parametrize("path", ["/healthz", "/login", "/static/site.css"])
    def test_the_short_list_is_open(self, stranger: TestClient, path: str) -> None:
        assert stranger.get(path).status_code == 200

    def test_no_websocket_without_a_sign_in(self, stranger: TestClient) -> None:
        with pytest.raises(WebSocketDisconnect), stranger.websocket_connect("/research/ws"):
            pass

    def test_a_stranger_s_upload_is_not_read(self, services: Services) -> None:
        app = build_walled(services)
        was_read = False

        def body():  # type: ignore[no-untyped-def]
            nonlocal was_read
            was_read = True
            yield b"x"

        async def run(scope, receive, send):  # type: ignore[no-untyped-def]
            async def noting():  # type: ignore[no-untyped-def]
                nonlocal was_read
                was_read = True
                return await receive()

            await app(scope, noting, send)

        answer = TestClient(run).post("/api/v1/studies", content=b"x" * 1000)
        assert answer.status_code == 401
        assert not was_read


class TestCsrf:
    def test_the_token_is_asked_for(self, client: TestClient) -> None:
        assert client.post("/api/v1/echo", content=b"x").status_code == 200
        right = client.headers.pop("X-CSRF-Token")
        for wrong in (None, "", "guess", right[:-1], right + "x", "ü"):
            headers = {} if wrong is None else {"X-CSRF-Token": wrong.encode("latin-1")}
            answer = client.post("/api/v1/echo", content=b"x", headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf"), wrong

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "post"])
    def test_every_unsafe_method(self, client: TestClient, method: str) -> None:
        del client.headers["X-CSRF-Token"]
        assert client.request(method, "/api/v1/session").status_code in (403, 405)
        assert client.get("/api/v1/session").status_code == 200

    def test_the_token_of_another_sign_in_is_wrong(
        self, walled: FastAPI, client: TestClient, person: Callable[..., User]
    ) -> None:
        person("al")
        other = log_in(TestClient(walled), "al").headers["X-CSRF-Token"]
        assert client.post("/api/v1/echo", headers={"X-CSRF-Token": other}).status_code == 403

    @pytest.mark.parametrize(
        ("headers", "is_ours"),
        [
            ({}, True),
            ({"Origin": "http://testserver"}, True),
            ({"Origin": "http://testserver:80"}, True),
            ({"Sec-Fetch-Site": "same-origin"}, True),
            ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
            ({"Origin": "http://evil.example"}, False),
            ({"Origin": "http://testserver.evil.example"}, False),
            ({"Origin": "http://testserver:8080"}, False),
            ({"Origin": "null"}, False),
            ({"Sec-Fetch-Site": "cross-site"}, False),
            ({"Sec-Fetch-Site": "same-site"}, False),
            ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, False),
        ],
    )
    def test_other_sites_are_refused_even_with_the_token(
        self, client: TestClient, headers: dict[str, str], is_ours: bool
    ) -> None:
        status = client.post("/api/v1/echo", headers=headers).status_code
        assert status == (200 if is_ours else 403)
        login = client.post("/api/v1/session", json={"name": "jo", "password": PASSWORD}, headers=headers)
        assert login.status_code == (200 if is_ours else 403)

    @pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
    def test_another_site_cannot_sign_a_browser_in(
        self, stranger: TestClient, person: Callable[..., User], headers: dict[str, str]
    ) -> None:
        person("mallory")
        answer = stranger.post("/api/v1/session", json={"name": "mallory", "password": PASSWORD}, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Sec-Fetch-Site": "same-origin"}, 200),
            ({"Origin": "http://testserver"}, 200),
            ({}, 403),
            ({"Sec-Fetch-Site": "none"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Origin": "http://evil.example"}, 403),
        ],
    )
    def test_the_research_screens_go_by_origin(
        self, client: TestClient, headers: dict[str, str], status: int
    ) -> None:
        assert client.post(JOIN, headers=headers).status_code == status

    def test_a_websocket_of_another_site_is_refused(self, client: TestClient) -> None:
        for told in ({}, {"Origin": "http://evil.example"}):
            with (
                pytest.raises(WebSocketDisconnect),
                client.websocket_connect("/research/ws", headers=told),
            ):
                pass


class TestHeaders:
    @pytest.mark.parametrize(
        ("path", "policy", "caching"),
        [
            ("/login", headers.PAGE_POLICY, "no-store"),
            ("/worklist", headers.PAGE_POLICY, "no-store"),
            ("/static/site.css", headers.PAGE_POLICY, "no-cache"),
            ("/api/v1/session", headers.API_POLICY, "no-store"),
            ("/api/v1/kept", headers.API_POLICY, "private, max-age=60"),
            ("/api/v1/none", headers.API_POLICY, "no-store"),
            ("/research/none", headers.RESEARCH_POLICY, "no-store"),
            ("/api/v1/broken", headers.API_POLICY, "no-store"),
        ],
    )
    def test_every_answer_bears_them(self, client: TestClient, path: str, policy: str, caching: str) -> None:
        answer = client.get(path)
        assert answer.headers["content-security-policy"] == policy
        assert answer.headers["cache-control"] == caching
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "camera=()" in answer.headers["permissions-policy"]
        assert "strict-transport-security" not in answer.headers

    def test_refusals_bear_them_too(self, stranger: TestClient) -> None:
        for answer in (stranger.get("/worklist"), stranger.get("/api/v1/users"), stranger.post("/api/v1/echo")):
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]

    def test_our_own_pages_run_no_inline_script(self) -> None:
        assert "unsafe" not in headers.PAGE_POLICY + headers.API_POLICY
        assert "default-src 'self'" in headers.PAGE_POLICY
        for policy in (headers.PAGE_POLICY, headers.API_POLICY, headers.RESEARCH_POLICY):
            assert "http" not in policy
            assert "*" not in policy
        assert "connect-src 'self'" in headers.RESEARCH_POLICY

    def test_https_asks_browsers_to_stay_with_it(self, services: Services) -> None:
        app = build_walled(replace(services, config=replace(services.config, has_secure_cookies=True)))
        client = TestClient(app, base_url="https://testserver")
        assert client.get("/login").headers["strict-transport-security"] == "max-age=31536000"


class TestHosts:
    def test_only_the_names_that_were_set(self, services: Services) -> None:
        app = build_walled(replace(services, config=replace(services.config, allowed_hosts=("spine.example",))))
        client = TestClient(app)
        for host, status in [
            ("spine.example", 200),
            ("spine.example:8443", 200),
            ("127.0.0.1", 200),
            ("evil.example", 400),
            ("spine.example.evil.example", 400),
        ]:
            answer = client.get("/healthz", headers={"Host": host})
            assert answer.status_code == status, host
            assert "content-security-policy" in answer.headers


def test_a_fault_tells_nothing(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client.get("/api/v1/broken")
    assert answer.status_code == 500
    assert "detail" not in answer.text
    assert [record.getMessage() for record in caplog.records] == ["a request failed: RuntimeError"]
