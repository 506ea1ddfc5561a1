"""Sign-in by OpenID Connect, at a provider of our own on loopback with a real key."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from joserfc.jwk import OctKey, RSAKey

from runtime.errors import ConfigError
from service.accounts.oidc_provider import discover
from service.accounts.users import UserChange, change_user
from service.api import oidc, session
from service.api.application import build_api
from service.config import ServiceConfig
from service.security import secure
from service.services import Services
from service.store.tables import AuditEntry, User
from tests.service.accounts.conftest import log_in
from tests.service.accounts.provider import CLIENT, SECRET, LocalProvider

START, BACK = "/api/v1/session/oidc", "/api/v1/session/oidc/callback"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalProvider]:
    monkeypatch.setenv("SPINESCRIBE_OIDC_CLIENT_SECRET", SECRET)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = LocalProvider()
    yield running
    running.close()


def client_at(services: Services, provider: LocalProvider, *, creates: bool = False, **more: object) -> TestClient:
    """Return a browser at a service that trusts the provider."""
    config = replace(
        services.config, oidc_issuer=provider.issuer, oidc_client_id=CLIENT, oidc_creates_users=creates, **more
    )
    open_services = replace(services, config=config)
    app = build_api(open_services, [session.router, oidc.router])
    secure(app, open_services)
    base = "https://testserver" if config.has_secure_cookies else "http://testserver"
    return TestClient(app, base_url=base, raise_server_exceptions=False, follow_redirects=False)


def visit(client: TestClient, provider: LocalProvider, **changed: str):  # type: ignore[no-untyped-def]
    """Go to the provider, sign in there, and come back."""
    there = client.get(START)
    assert there.status_code == 303, there.text
    brought = {**provider.approve(there.headers["location"]), **changed}
    return client.get(BACK, params=brought)


def test_someone_new_becomes_a_radiologist_where_that_is_allowed(
    services: Services, provider: LocalProvider
) -> None:
    client = client_at(services, provider, creates=True)
    answer = visit(client, provider)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    user = client.get("/api/v1/session").json()["user"]
    assert (user["name"], user["display_name"], user["role"]) == ("jo.doe", "Dr Jo Doe", "radiologist")
    assert user["has_password"] is False
    assert "spinescribe-oidc" not in client.cookies
    with services.database.read() as reading:
        line = reading.query(AuditEntry).filter_by(action="session.login").one()
    assert line.details == {"how": "oidc"}
    assert provider.requests[0]["code_verifier"]
    visit(client_at(services, provider), provider)
    with services.database.read() as reading:
        assert reading.query(User).count() == 1


def test_someone_new_is_refused_in_clear_words(services: Services, provider: LocalProvider) -> None:
    provider.claims["sub"] = "<script>alert(1)</script>"
    answer = visit(client_at(services, provider), provider)
    assert answer.status_code == 403
    assert "ask the administrator to link the subject" in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "<script>" not in answer.text
    with services.database.read() as reading:
        assert reading.query(User).count() == 0


def test_a_name_that_is_taken_is_not_taken_over(
    services: Services, provider: LocalProvider, person: Callable[..., User]
) -> None:
    local = person("jo.doe")
    client = client_at(services, provider, creates=True)
    visit(client, provider)
    user = client.get("/api/v1/session").json()["user"]
    assert user["id"] != local.id
    assert user["name"].startswith("user-")


def test_a_linked_account_signs_in_and_a_deactivated_one_does_not(
    services: Services, provider: LocalProvider, person: Callable[..., User]
) -> None:
    user = person("jo")
    with services.database.begin() as writing:
        change_user(writing, "system", user.id, UserChange(oidc_subject="person-1"))
    client = client_at(services, provider)
    visit(client, provider)
    assert client.get("/api/v1/session").json()["user"]["id"] == user.id
    with services.database.begin() as writing:
        change_user(writing, "system", user.id, UserChange(is_active=False))
    answer = visit(client_at(services, provider), provider)
    assert answer.status_code == 403
    assert "deactivated" in answer.text


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"iat": int(time.time()) + 3600},
        {"sub": ""},
        {"sub": None},
        {"sub": "x" * 256},
        {"azp": "another-client"},
    ],
)
def test_wrong_claims_are_refused(services: Services, provider: LocalProvider, claims: dict[str, object]) -> None:
    provider.claims |= claims
    client = client_at(services, provider, creates=True)
    answer = visit(client, provider)
    assert answer.status_code in (422, 502), answer.text
    assert client.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize("forgery", ["another key", "none", "shared secret"])
def test_forged_tokens_are_refused(services: Services, provider: LocalProvider, forgery: str) -> None:
    if forgery == "another key":
        provider.signing_key = RSAKey.generate_key(2048, {"kid": "one"})
    elif forgery == "none":
        provider.algorithm = "none"
    else:
        provider.algorithm = "HS256"
        provider.signing_key = OctKey.import_key(SECRET * 2)
        provider.discovery["id_token_signing_alg_values_supported"] = ["RS256", "HS256", "none"]
    client = client_at(services, provider, creates=True)
    assert visit(client, provider).status_code == 502
    assert client.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize(
    "changed", [{"state": "another"}, {"state": ""}, {"code": ""}, {"iss": "https://evil.example"}]
)
def test_answers_of_another_sign_in_are_refused(
    services: Services, provider: LocalProvider, changed: dict[str, str]
) -> None:
    answer = visit(client_at(services, provider, creates=True), provider, **changed)
    assert answer.status_code == 422
    assert not provider.requests


def test_a_code_of_another_browser_is_refused(services: Services, provider: LocalProvider) -> None:
    attacker, victim = (client_at(services, provider, creates=True) for _ in range(2))
    brought = provider.approve(attacker.get(START).headers["location"])
    assert victim.get(BACK, params=brought).status_code == 422
    victim.get(START)
    assert victim.get(BACK, params=brought).status_code == 422
    assert victim.get("/api/v1/session").status_code == 401


def test_a_forged_or_old_cookie_is_refused(
    services: Services, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_at(services, provider, creates=True)
    client.cookies.set("spinescribe-oidc", "eyJhbGciOiJub25lIn0.e30.")
    assert client.get(BACK, params={"code": "x", "state": "x"}).status_code == 422
    client = client_at(services, provider, creates=True)
    brought = provider.approve(client.get(START).headers["location"])
    later = time.time() + 700
    monkeypatch.setattr(time, "time", lambda: later)
    assert client.get(BACK, params=brought).status_code == 422


def test_https_cookies_and_addresses(services: Services, provider: LocalProvider) -> None:
    client = client_at(services, provider, creates=True, has_secure_cookies=True)
    there = client.get(START)
    assert there.headers["set-cookie"].startswith("__Host-spinescribe-oidc=")
    assert "redirect_uri=https%3A%2F%2Ftestserver%2Fapi" in there.headers["location"]
    assert client.get(BACK, params=provider.approve(there.headers["location"])).status_code == 303
    assert client.get("/api/v1/session").status_code == 200


def test_a_provider_that_is_down_or_lies_is_told(services: Services, provider: LocalProvider) -> None:
    client = client_at(services, provider)
    provider.discovery = {"issuer": "https://evil.example"}
    assert client.get(START).status_code == 502
    provider.discovery = {"token_endpoint": "http://evil.example/token"}
    assert client.get(START).status_code in (422, 502)
    provider.close()
    assert client.get(START).status_code == 502


def test_only_https_is_spoken_to_others(services: Services) -> None:
    config = ServiceConfig(home=services.config.home, oidc_issuer="http://idp.example", oidc_client_id="us")
    with pytest.raises(ConfigError, match="https"):
        discover(config)


def test_without_a_provider_there_is_no_such_route(browser: Callable[[], TestClient]) -> None:
    assert browser().get(START).status_code == 404
    assert browser().get(BACK).status_code == 404


def test_the_other_door_stays_open(
    services: Services, provider: LocalProvider, person: Callable[..., User]
) -> None:
    person("jo")
    assert log_in(client_at(services, provider), "jo").get("/api/v1/session").status_code == 200
