"""The rate limit of sign-in: after some refused ones who tries again must wait, each time longer.

Three counters of the last quarter of an hour: of an address with a name, of an address, of a name. The first two
grow to minutes. The third, which strangers can drive up, never makes anyone wait longer than half a minute: nobody
is locked out for good. An attempt counts from its start, so that many at once do not pass together; success takes
it back. The table holds keyed hashes, neither names nor addresses.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from service.errors import BusyError
from service.store.base import now
from service.store.tables import LoginFailure

WINDOW = timedelta(minutes=15)
"""How long a refused sign-in counts."""

_LOCK = 0x4C4F47494E  # PostgreSQL: attempts are counted one at a time; SQLite has one writer anyway


@dataclass(frozen=True)
class _Rule:
    """How long to wait: nothing for the ``free`` first failures, then 1, 2, 4 s ... up to ``longest_s``."""

    free: int
    longest_s: int


_PAIR = _Rule(free=5, longest_s=600)
_ADDRESS = _Rule(free=30, longest_s=300)
_NAME = _Rule(free=20, longest_s=30)


@dataclass(frozen=True)
class Attempt:
    """An attempt to sign in, as the counters know it."""

    pair: str
    address: str
    name: str

    @classmethod
    def of(cls, key: bytes, name: str, address: str) -> Attempt:
        """Return the attempt of a name from an address, hashed with the service's key."""
        network = network_of(address)
        return cls(
            pair=_keyed(key, f"pair {name} {network}"),
            address=_keyed(key, f"address {network}"),
            name=_keyed(key, f"name {name}"),
        )


def admit(session: Session, attempt: Attempt) -> None:
    """Let an attempt begin, and count it.

    Args:
        session: An open writing transaction.
        attempt: The attempt.

    Raises:
        BusyError: If it comes too soon after refused ones.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    moment = now()
    session.execute(delete(LoginFailure).where(LoginFailure.at < moment - WINDOW))
    waits = [
        _wait_s(session, attempt.pair, _PAIR, moment),
        _wait_s(session, attempt.address, _ADDRESS, moment),
        _wait_s(session, attempt.name, _NAME, moment),
    ]
    if max(waits) > 0:
        seconds = math.ceil(max(waits))
        raise BusyError(
            f"too many refused sign-ins; try again in {seconds} s", retry_after_s=seconds, code="slow_down"
        )
    session.add_all([LoginFailure(key=attempt.pair, at=moment), LoginFailure(key=attempt.name, at=moment)])


def blame(session: Session, attempt: Attempt) -> None:
    """Count a refused attempt against its address as well."""
    session.add(LoginFailure(key=attempt.address, at=now()))


def forgive(session: Session, attempt: Attempt) -> None:
    """Clear the counters of a name that signed in; not that of the address, or its owner could guess on."""
    _clear(session, [attempt.pair, attempt.name])


def network_of(address: str) -> str:
    """Return an address as it is counted: IPv4 whole, IPv6 by its /64, which one subscriber has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _wait_s(session: Session, key: str, rule: _Rule, moment: datetime) -> float:
    """Return how long to wait from now, in seconds; 0 or less for not at all."""
    counted = session.execute(select(func.count(), func.max(LoginFailure.at)).where(LoginFailure.key == key)).one()
    failures, last = int(counted[0]), counted[1]
    if failures < rule.free or last is None:
        return 0.0
    penalty_s = min(rule.longest_s, 1 << min(failures - rule.free, 20))
    elapsed: timedelta = moment - last
    return float(penalty_s - elapsed.total_seconds())


def _clear(session: Session, keys: Sequence[str]) -> None:
    session.execute(delete(LoginFailure).where(LoginFailure.key.in_(keys)))


def _keyed(key: bytes, content: str) -> str:
    return hmac.new(key, content.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
