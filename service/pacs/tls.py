"""TLS of DIMSE: certificates are checked on both sides, always."""

from __future__ import annotations

import ssl

from runtime.errors import ConfigError
from service.pacs.config import DimseConfig


def client_context(config: DimseConfig) -> ssl.SSLContext | None:
    """Return how we call a node: its certificate must be signed and be of its host; None without TLS.

    Raises:
        ConfigError: If a certificate or key cannot be read.
    """
    if not config.tls:
        return None
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    return _loaded(context, config)


def server_context(config: DimseConfig) -> ssl.SSLContext | None:
    """Return how a node may call us in its C-MOVE: with a certificate of ``tls_ca``; None without TLS.

    Raises:
        ConfigError: If a certificate or key cannot be read, or we have none.
    """
    if not config.tls:
        return None
    if not (config.tls_certificate and config.tls_ca):
        raise ConfigError(
            "fetch: move with TLS needs tls_certificate, tls_key and tls_ca: the node connects to us"
        )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    return _loaded(context, config)


def _loaded(context: ssl.SSLContext, config: DimseConfig) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if config.tls_ca:
            context.load_verify_locations(config.tls_ca)
        if config.tls_certificate:
            context.load_cert_chain(config.tls_certificate, config.tls_key)
    except OSError as error:
        raise ConfigError(f"a TLS file of the node cannot be used ({type(error).__name__})") from None
    return context
