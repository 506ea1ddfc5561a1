"""Settings from the environment: paths, addresses and choices, read when asked for, never at import."""

import os
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import ConfigError
from runtime.paths import weights_dir

PRECISIONS = ("float32", "bfloat16")
"""What the segmentation network may compute in; its weights stay float32."""


@dataclass(frozen=True)
class Settings:
    """What the environment decides.

    Attributes:
        data_dir: Folder of the real spine data (``SPINESCRIBE_DATA``, default ``../shared/data``).
        weights_dir: Folder of model weights (``SPINESCRIBE_WEIGHTS``, default: the shipped ones).
        host: Address the web page binds to (``SPINESCRIBE_HOST``, default 127.0.0.1).
        port: Port of the web page (``SPINESCRIBE_PORT``, default 7860).
        threads: CPU threads for the models (``SPINESCRIBE_THREADS``); None leaves the library's choice.
        precision: What the segmentation network computes in (``SPINESCRIBE_PRECISION``, one of ``PRECISIONS``).
            bfloat16 is faster only where the processor has instructions for it.
        writer: Who writes the draft (``SPINESCRIBE_WRITER``): a writer of docs/writers.md; empty leaves the
            protocol's.
        writer_model: Folder or hub id of its model (``SPINESCRIBE_WRITER_MODEL``); empty takes what is installed.
        remote_url: Address of the remote writer (``SPINESCRIBE_REMOTE_URL``); empty for none, and nothing is sent.
        remote_model: Name of its model (``SPINESCRIBE_REMOTE_MODEL``).
        corenlp_dir: Folder of Stanford CoreNLP 3.6.0 with its models, for the metric SPICE
            (``SPINESCRIBE_CORENLP``); empty looks where pycocoevalcap keeps it.
    """

    data_dir: Path
    weights_dir: Path
    host: str
    port: int
    threads: int | None
    precision: str = PRECISIONS[0]
    writer: str = ""
    writer_model: str = ""
    remote_url: str = ""
    remote_model: str = ""
    corenlp_dir: str = ""


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigError: If a number is not one, the port is out of range, or there is no such precision.
    """
    port = _whole_number("SPINESCRIBE_PORT", "7860")
    if not 0 < port < 65536:
        raise ConfigError(f"SPINESCRIBE_PORT: expected 1 to 65535, got {port!r}")
    precision = os.environ.get("SPINESCRIBE_PRECISION", PRECISIONS[0])
    if precision not in PRECISIONS:
        raise ConfigError(f"SPINESCRIBE_PRECISION: expected {' or '.join(PRECISIONS)}, got {precision!r}")
    threads = os.environ.get("SPINESCRIBE_THREADS")
    return Settings(
        data_dir=Path(os.environ.get("SPINESCRIBE_DATA", "../shared/data")),
        weights_dir=Path(os.environ.get("SPINESCRIBE_WEIGHTS", str(weights_dir()))),
        host=os.environ.get("SPINESCRIBE_HOST", "127.0.0.1"),
        port=port,
        threads=None if threads is None else max(1, _whole_number("SPINESCRIBE_THREADS", "1")),
        precision=precision,
        writer=os.environ.get("SPINESCRIBE_WRITER", ""),
        writer_model=os.environ.get("SPINESCRIBE_WRITER_MODEL", ""),
        remote_url=os.environ.get("SPINESCRIBE_REMOTE_URL", ""),
        remote_model=os.environ.get("SPINESCRIBE_REMOTE_MODEL", ""),
        corenlp_dir=os.environ.get("SPINESCRIBE_CORENLP", ""),
    )


def read_secret(variable: str) -> str | None:
    """Return a secret, or None; it is never part of ``Settings``, a message or a log line.

    Args:
        variable: Name of the environment variable that holds it; the one of that name with ``_FILE`` after
            it may name a file that holds it instead (as container secrets and systemd credentials do).

    Raises:
        ConfigError: If there is a name of a file, but the file cannot be read.
    """
    file = os.environ.get(f"{variable}_FILE")
    if not file:
        return os.environ.get(variable) or None
    try:
        return Path(file).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{variable}_FILE: expected a text file that can be read, got {type(error).__name__}"
        ) from None


def _whole_number(name: str, default: str) -> int:
    text = os.environ.get(name, default)
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{name}: expected a whole number, got {text!r}") from None
