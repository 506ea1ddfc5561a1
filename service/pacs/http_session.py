"""An HTTP session for one node: its login, checked TLS, no proxies, no redirects; errors without address or token.

What is sent goes to the configured address alone: proxies and .netrc of the environment are not used, and where a
node redirects to is not followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any

import requests
from requests import exceptions as failures
from requests.auth import AuthBase, HTTPBasicAuth

from imaging.dicom.values import BROKEN
from runtime.errors import ConfigError
from runtime.settings import read_secret
from service.pacs.config import DicomwebConfig
from service.pacs.errors import PacsError

_LOGIN = (401, 403)
_NOT_FOUND = 404
_BUSY = (408, 429, 502, 503, 504)


class _Bearer(AuthBase):
    """Sends a token; its ``repr`` does not show it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def build_session(config: DicomwebConfig) -> requests.Session:
    """Return the session.

    Raises:
        ConfigError: If the secret or a certificate is configured and not there.
    """
    for file in (config.tls_ca, config.tls_certificate, config.tls_key):
        if file and not Path(file).is_file():
            raise ConfigError("a TLS file of the node is not there; look at tls_ca, tls_certificate and tls_key")
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    session.verify = config.tls_ca or True
    session.cert = (config.tls_certificate, config.tls_key) if config.tls_certificate else None
    session.auth = _login(config)
    session.hooks["response"].append(_require_end)
    return session


@contextmanager
def words_for_failures(config: DicomwebConfig) -> Iterator[None]:
    """Raise what goes wrong inside as a PacsError.

    Raises:
        PacsError: With the kind of failure; neither address, query nor answer of the node are part of it.
    """
    try:
        yield
    except failures.HTTPError as error:
        raise _refusal(0 if error.response is None else error.response.status_code) from None
    except failures.Timeout:
        limit = f"{config.connect_s:g} s to connect, {config.answer_s:g} s to answer"
        raise PacsError(f"the node did not answer in time ({limit})", code="timeout", again=True) from None
    except failures.SSLError:
        raise PacsError(
            "TLS was not agreed with the node: look at its certificate, tls_ca and tls_certificate",
            code="unreachable",
        ) from None
    except failures.ChunkedEncodingError:
        raise PacsError("the node broke the connection off", code="aborted", again=True) from None
    except failures.ConnectionError:
        raise PacsError(
            "no connection to the node, or it was broken off", code="unreachable", again=True
        ) from None
    except failures.TooManyRedirects:
        raise PacsError("the node redirects elsewhere; that is not followed", code="refused") from None
    except failures.RequestException as error:
        raise PacsError(f"the node's answer is not usable ({type(error).__name__})", code="malformed") from None
    except OSError:
        raise  # our own disk
    except BROKEN as error:
        raise PacsError(f"the node's answer is not DICOMweb ({type(error).__name__})", code="malformed") from None


def _login(config: DicomwebConfig) -> AuthBase | None:
    if not (config.secret_variable or config.secret_file):
        return None
    secret = _secret_of_file(config.secret_file) if config.secret_file else read_secret(config.secret_variable)
    if not secret:
        where = config.secret_variable or "secret_file"
        raise ConfigError(f"{where}: expected the password or token of the node there, found nothing")
    if not secret.isascii() or not secret.isprintable():
        raise ConfigError("the password or token of the node: expected printable ASCII on one line")
    return HTTPBasicAuth(config.user, secret) if config.user else _Bearer(secret)


def _secret_of_file(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"secret_file: cannot be read ({type(error).__name__})") from None


def _require_end(response: requests.Response, *_: Any, **__: Any) -> requests.Response:
    """See that an answer of instances that breaks off is an error: half an instance would pass for one.

    A body without a length ends where the connection ends, so its own end must be there: the closing boundary.
    """
    kind = Message()
    kind["Content-Type"] = response.headers.get("Content-Type", "")
    boundary = kind.get_boundary()
    if kind.get_content_maintype() == "multipart":
        if not boundary:
            raise failures.InvalidHeader("several parts without a boundary")
        closing = f"--{boundary}--".encode("latin-1", "replace")
        response.iter_content = partial(_to_closing, response.iter_content, closing)  # type: ignore[method-assign]
    elif kind.get_content_type() == "application/dicom" and "Content-Length" not in response.headers:
        raise failures.InvalidHeader("an instance without its length")
    return response


def _to_closing(
    read: Callable[..., Iterator[bytes]], closing: bytes, *given: Any, **named: Any
) -> Iterator[bytes]:
    """Pass on an answer; raise at its end if that is not the closing boundary."""
    tail = b""
    for piece in read(*given, **named):
        tail = (tail + piece)[-len(closing) - 64 :]
        yield piece
    if closing not in tail:
        raise failures.ChunkedEncodingError("no closing boundary")


def _refusal(status: int) -> PacsError:
    if status in _LOGIN:
        return PacsError(f"the node refused the login (HTTP {status})", code="refused")
    if status == _NOT_FOUND:
        return PacsError("the node has nothing there (HTTP 404)", code="not_found")
    if status in _BUSY:
        return PacsError(f"the node is busy (HTTP {status})", code="busy", again=True)
    return PacsError(f"the node refused the request (HTTP {status})", code="failed")
