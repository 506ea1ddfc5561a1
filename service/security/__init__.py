"""Request security: who is asking, closed by default, same origin, headers, limits of bodies."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from service.security.body_limit import BodyLimitMiddleware
from service.security.csrf import CsrfMiddleware
from service.security.faults import FaultsMiddleware
from service.security.guard import GuardMiddleware
from service.security.headers import HeadersMiddleware
from service.security.session import SessionMiddleware
from service.services import Services

__all__ = ["secure"]

_THIS_MACHINE = ["localhost", "127.0.0.1"]  # health checks of containers and service managers


def secure(app: FastAPI, services: Services) -> None:
    """Put the walls around an application; call it once, after all routes and mounts were added.

    From the outside in: headers, faults, host names, the sign-in, closed by default, same origin, bodies.

    Args:
        app: The application.
        services: The open services.
    """
    config = services.config
    app.add_middleware(BodyLimitMiddleware, config=config)
    app.add_middleware(CsrfMiddleware)
    app.add_middleware(GuardMiddleware)
    app.add_middleware(SessionMiddleware, services=services)
    if config.allowed_hosts:
        app.add_middleware(
            TrustedHostMiddleware, allowed_hosts=[*config.allowed_hosts, *_THIS_MACHINE], www_redirect=False
        )
    app.add_middleware(FaultsMiddleware)
    app.add_middleware(HeadersMiddleware, config=config)
