"""What made a result: versions, weights, configuration, seeds."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("torch", "transformers", "peft", "open_clip_torch", "pydicom", "numpy")


@dataclass(frozen=True)
class Provenance:
    """Everything needed to make the same result again.

    Attributes:
        spinescribe: Our version.
        python: Python version.
        packages: Versions of the libraries that shape numbers.
        weights: Model name -> checksum of its folder.
        config_hash: SHA-256 of the run's options (``hash_config``).
        seeds: Name -> seed.
        prompts: Identifiers of prompts, phrases and rule tables that were used.
    """

    spinescribe: str
    python: str
    packages: dict[str, str]
    weights: dict[str, str]
    config_hash: str
    seeds: dict[str, int] = field(default_factory=dict)
    prompts: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return asdict(self)


def collect_provenance(
    *,
    weights: Mapping[str, str],
    config: Mapping[str, Any],
    seeds: Mapping[str, int] | None = None,
    prompts: Mapping[str, str] | None = None,
) -> Provenance:
    """Gather versions and hashes of this run."""
    return Provenance(
        spinescribe=_version("spinescribe"),
        python=platform.python_version(),
        packages={name: _version(name) for name in _PACKAGES},
        weights=dict(weights),
        config_hash=hash_config(config),
        seeds=dict(seeds or {}),
        prompts=dict(prompts or {}),
    )


def hash_config(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a configuration, the same whatever the order of its keys."""
    text = json.dumps(config, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
