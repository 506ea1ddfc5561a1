"""Which body regions made-up findings are drawn from, and how often each."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from anatomy import Protocol, load_protocol
from runtime.errors import ConfigError


@dataclass(frozen=True)
class ProtocolMix:
    """Protocols with their shares.

    Attributes:
        protocols: What is drawn from.
        shares: Of each, in the same order; they sum to 1.
    """

    protocols: tuple[Protocol, ...]
    shares: tuple[float, ...]

    def draw(self, rng: np.random.Generator) -> Protocol:
        """Return one protocol."""
        return self.protocols[int(rng.choice(len(self.protocols), p=self.shares))]


def load_protocol_mix(table: Mapping[str, float], *, where: str) -> ProtocolMix:
    """Load the protocols of a training file's ``protocols``.

    Raises:
        ConfigError: If a protocol is unknown, or the shares are not positive or do not sum to 1.
    """
    shares = tuple(float(share) for share in table.values())
    if not shares or min(shares) <= 0 or abs(sum(shares) - 1.0) > 1e-6:
        raise ConfigError(f"{where}, protocols: expected positive shares that sum to 1, got {dict(table)!r}")
    return ProtocolMix(tuple(load_protocol(name) for name in table), shares)
