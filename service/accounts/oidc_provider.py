"""Speaking to the OpenID Connect provider: discovery, the exchange of a code, the check of the ID token.

Only https is spoken, but to this machine itself. Nothing of an answer reaches a message or a log line.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from runtime.errors import ConfigError
from runtime.settings import read_secret
from service.config import ServiceConfig
from service.errors import ServiceError

SCOPE = "openid profile email"
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_TIMEOUT_S = 10.0
_LEEWAY_S = 60


class ProviderError(ServiceError):
    """The provider cannot be reached, or answers what it must not."""

    status, code = 502, "oidc_provider"


@dataclass(frozen=True)
class Provider:
    """A provider as its discovery document describes it.

    Attributes:
        issuer: Its name, which the ID token must bear.
        client_id: Our name there.
        authorization_endpoint: Where the browser signs in.
        token_endpoint: Where a code is exchanged.
        jwks_uri: Where its keys are.
        algorithms: Signatures that are accepted; never none, never a shared secret.
        auth_methods: How a client may show its secret.
    """

    issuer: str
    client_id: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    algorithms: tuple[str, ...]
    auth_methods: tuple[str, ...]

    def authorization_url(self, redirect_uri: str, *, state: str, nonce: str, verifier: str) -> str:
        """Return where to send the browser."""
        with _client(self, redirect_uri) as client:
            address, _state = client.create_authorization_url(
                self.authorization_endpoint, state=state, code_verifier=verifier, nonce=nonce
            )
        return str(address)


def discover(config: ServiceConfig) -> Provider:
    """Ask the provider for its description.

    Args:
        config: Names the provider.

    Raises:
        ConfigError: If no provider is set, or it is not spoken to by https.
        ProviderError: If it cannot be reached, or says it is another one.
    """
    if not config.oidc_issuer or not config.oidc_client_id:
        raise ConfigError("SPINESCRIBE_OIDC_ISSUER and SPINESCRIBE_OIDC_CLIENT_ID: expected both to be set")
    found = _get_json(f"{config.oidc_issuer.rstrip('/')}/.well-known/openid-configuration")
    if found.get("issuer") != config.oidc_issuer:
        raise ProviderError("the sign-in provider calls itself by another name than the configured one")
    offered = found.get("id_token_signing_alg_values_supported", ["RS256"])
    return Provider(
        issuer=config.oidc_issuer,
        client_id=config.oidc_client_id,
        authorization_endpoint=_endpoint(found, "authorization_endpoint"),
        token_endpoint=_endpoint(found, "token_endpoint"),
        jwks_uri=_endpoint(found, "jwks_uri"),
        algorithms=tuple(name for name in _ALGORITHMS if name in offered),
        auth_methods=tuple(found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])),
    )


def fetch_claims(provider: Provider, redirect_uri: str, *, code: str, verifier: str, nonce: str) -> dict[str, Any]:
    """Exchange a code for an ID token; return its claims, all of them checked.

    Args:
        provider: The provider.
        redirect_uri: Our address, as at the start.
        code: What the browser brought.
        verifier: The PKCE code verifier.
        nonce: What the token must repeat.

    Raises:
        ProviderError: If the exchange fails or the token is not what it must be.
    """
    from authlib.common.errors import AuthlibBaseError
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        with _client(provider, redirect_uri) as client:
            answer = client.fetch_token(
                provider.token_endpoint, grant_type="authorization_code", code=code, code_verifier=verifier
            )
    except (AuthlibBaseError, _http().HTTPError, ValueError) as error:
        raise ProviderError(f"the sign-in provider did not accept the exchange ({type(error).__name__})") from None
    try:
        keys = KeySet.import_key_set(_get_json(provider.jwks_uri))  # type: ignore[arg-type]
        token = jwt.decode(str(answer["id_token"]), keys, algorithms=list(provider.algorithms))
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": provider.client_id},
            },
            {"nonce": nonce, "client_id": provider.client_id, "access_token": answer.get("access_token")},
        )
        claims.validate(leeway=_LEEWAY_S)
    except (AuthlibBaseError, JoseError, KeyError, TypeError, ValueError) as error:
        raise ProviderError(f"the sign-in provider's token is not valid ({type(error).__name__})") from None
    return dict(claims)


def _client(provider: Provider, redirect_uri: str) -> Any:
    """Return authlib's client; asks for the extra ``oidc`` where it is missing."""
    try:
        from authlib.integrations.httpx_client import OAuth2Client
    except ImportError as error:
        raise ConfigError("sign-in by OpenID Connect takes authlib: pip install 'spinescribe[oidc]'") from error
    secret = read_secret("SPINESCRIBE_OIDC_CLIENT_SECRET")
    is_basic = "client_secret_basic" in provider.auth_methods
    shown = ("client_secret_basic" if is_basic else "client_secret_post") if secret else "none"
    return OAuth2Client(
        provider.client_id,
        secret,
        scope=SCOPE,
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
        token_endpoint_auth_method=shown,
        timeout=_TIMEOUT_S,
    )


def _endpoint(found: dict[str, Any], name: str) -> str:
    address = found.get(name)
    if not isinstance(address, str):
        raise ProviderError(f"the sign-in provider names no {name}")
    return _safe(address)


def _safe(address: str) -> str:
    """Return an address if it is spoken to by https, or is this machine's."""
    parts = urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return address
    raise ConfigError("SPINESCRIBE_OIDC_ISSUER: expected addresses that begin with https://")


def _get_json(address: str) -> dict[str, Any]:
    httpx = _http()
    safe = _safe(address)
    try:
        answer = httpx.get(safe, timeout=_TIMEOUT_S)
        answer.raise_for_status()
        content = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise ProviderError(f"the sign-in provider did not answer ({type(error).__name__})") from None
    if not isinstance(content, dict):
        raise ProviderError("the sign-in provider did not answer with a JSON object")
    return content


def _http() -> ModuleType:
    """Return the httpx that authlib speaks by: the second, where it is installed."""
    name = "httpx2" if importlib.util.find_spec("httpx2") else "httpx"
    return importlib.import_module(name)
