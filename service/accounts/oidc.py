"""Sign-in by an OpenID Connect provider, if one is set: authorisation code with PKCE, state and nonce (authlib).

Users are linked by subject alone, never by name or address: those a provider may give to another person. Nobody is
made here unless the administrator allows it, and then as a radiologist. What a sign-in under way must remember
(state, nonce, code verifier) is in a signed cookie of ten minutes.
Source: OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3; RFC 7636 (PKCE); RFC 9207 (issuer in the answer).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.accounts.oidc_provider import Provider, fetch_claims
from service.accounts.users import add_user, clean_name, is_valid_name
from service.config import ServiceConfig, load_secret_key
from service.errors import ForbiddenError, InvalidError
from service.store.tables import User
from service.store.words import Role

PENDING_S = 600
"""How long a sign-in may stay with the provider, in seconds."""

_LONGEST_SUBJECT = 255


@dataclass(frozen=True)
class Pending:
    """What a sign-in under way must remember."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Person:
    """Whom the provider recognised.

    Attributes:
        subject: The provider's own id; what links an account.
        names: Names to sign in with that the provider suggests, best first.
        display_name: Name under reports.
    """

    subject: str
    names: tuple[str, ...]
    display_name: str


def start(provider: Provider, redirect_uri: str) -> tuple[str, Pending]:
    """Return where to send the browser, and what to remember."""
    pending = Pending(*(secrets.token_urlsafe(32) for _ in range(3)))
    address = provider.authorization_url(
        redirect_uri, state=pending.state, nonce=pending.nonce, verifier=pending.verifier
    )
    return address, pending


def finish(
    provider: Provider, redirect_uri: str, pending: Pending, *, state: str, code: str, issuer: str | None
) -> Person:
    """Exchange the code that the browser brought back, and check who it is.

    Args:
        provider: The provider.
        redirect_uri: Our address, as at the start.
        pending: What was remembered.
        state: As it came back.
        code: As it came.
        issuer: As it came back, where the provider tells.

    Raises:
        InvalidError: If the answer does not belong to this sign-in.
        ServiceError: If the provider does not answer as it should.
    """
    if not hmac.compare_digest(state.encode(), pending.state.encode()):
        raise InvalidError("this answer belongs to another sign-in; start again", code="oidc_state")
    if issuer is not None and issuer != provider.issuer:
        raise InvalidError("this answer comes from another provider; start again", code="oidc_issuer")
    claims = fetch_claims(provider, redirect_uri, code=code, verifier=pending.verifier, nonce=pending.nonce)
    return _person(claims)


def resolve_user(session: Session, config: ServiceConfig, person: Person) -> User:
    """Return the account of a person; made, if the administrator allows it.

    Args:
        session: An open writing transaction.
        config: Whether accounts may be made.
        person: Whom the provider recognised.

    Raises:
        ForbiddenError: If there is no account, or it is deactivated.
    """
    user = session.scalar(select(User).where(User.oidc_subject == person.subject))
    if user is None:
        if not config.oidc_creates_users:
            raise ForbiddenError(
                f"no account here is linked to yours; ask the administrator to link the subject {person.subject}",
                code="oidc_no_account",
            )
        user = add_user(
            session,
            "system",
            _free_name(session, person),
            role=Role.RADIOLOGIST,
            display_name=person.display_name,
            oidc_subject=person.subject,
        )
    if not user.is_active:
        raise ForbiddenError("your account here is deactivated; ask the administrator", code="oidc_inactive")
    return user


def seal(config: ServiceConfig, pending: Pending) -> str:
    """Return what was remembered as a signed token for the cookie."""
    from joserfc import jwt

    claims: dict[str, Any] = {**asdict(pending), "exp": int(time.time()) + PENDING_S}
    return str(jwt.encode({"alg": "HS256"}, claims, _key(config)))


def unseal(config: ServiceConfig, token: str) -> Pending:
    """Return what was remembered.

    Raises:
        InvalidError: If the token is not ours, or too old.
    """
    from joserfc import jwt
    from joserfc.errors import JoseError

    try:
        claims = jwt.decode(token, _key(config), algorithms=["HS256"]).claims
        jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
        return Pending(*(str(claims[name]) for name in ("state", "nonce", "verifier")))
    except (JoseError, KeyError, ValueError):
        raise InvalidError(
            "this sign-in took too long or began elsewhere; start again", code="oidc_state"
        ) from None


def _key(config: ServiceConfig) -> Any:
    """Return the key of the cookie: of the service's, for this use alone."""
    from joserfc.jwk import OctKey

    return OctKey.import_key(hmac.new(load_secret_key(config), b"oidc cookie", hashlib.sha256).digest())


def _person(claims: dict[str, Any]) -> Person:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise InvalidError("the provider did not say who you are", code="oidc_subject")
    names = tuple(str(claims[key]) for key in ("preferred_username", "email") if isinstance(claims.get(key), str))
    shown = claims.get("name")
    return Person(subject, names, shown if isinstance(shown, str) else "")


def _free_name(session: Session, person: Person) -> str:
    """Return a sign-in name that nobody has: a suggested one, else one made of the subject's hash."""
    made = f"user-{hashlib.sha256(person.subject.encode()).hexdigest()[:12]}"
    for suggestion in person.names:
        cleaned = clean_name(suggestion)
        if is_valid_name(cleaned) and session.scalar(select(User.id).where(User.name == cleaned)) is None:
            return cleaned
    return made
