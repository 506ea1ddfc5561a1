"""Serving with uvicorn: never carries sign-ins of others in the clear, and says what a first start needs."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from sqlalchemy import func, select

from runtime.errors import ConfigError
from service.config import ServiceConfig, load_service_config
from service.services import Services
from service.store.tables import User

_KEEP_ALIVE_S = 20
_GRACE_S = 20
_HEAD_BYTES = 64 * 1024

FIRST_USER = (
    "Nobody can sign in yet. In another terminal, with the same settings: spinescribe user add NAME --role "
    "administrator, then users of role radiologist in the same way or on the page Administration."
)


def serve(host: str, port: int, *, has_worker: bool, say: Callable[[str], None]) -> None:
    """Serve until stopped.

    Args:
        host: Address to bind to.
        port: Port.
        has_worker: Whether a worker process is started beside the server.
        say: Where to tell what happens, a sentence a call.

    Raises:
        ConfigError: If the address can be reached from other machines while cookies may travel unencrypted.
    """
    import uvicorn

    from service.web import create_app

    config = load_service_config()
    require_safe_address(host, config)
    app = create_app(config, has_worker=has_worker)
    if count_users(app.state.services) == 0:
        say(FIRST_USER)
    say(f"serving on http://{host}:{port}{' with a worker' if has_worker else ''}; stop with Ctrl-C")
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )


def require_safe_address(host: str, config: ServiceConfig) -> None:
    """Let only this machine in while cookies may travel unencrypted.

    Raises:
        ConfigError: Otherwise.
    """
    if config.has_secure_cookies or _is_this_machine(host):
        return
    raise ConfigError(
        f"{host!r} can be reached from other machines, and sign-ins would travel unencrypted. Put the service "
        "behind https and set SPINESCRIBE_SECURE_COOKIES=1 (docs/deployment.md), or bind to 127.0.0.1"
    )


def count_users(services: Services) -> int:
    """Return how many users there are."""
    with services.database.read() as session:
        return session.scalar(select(func.count()).select_from(User)) or 0


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
