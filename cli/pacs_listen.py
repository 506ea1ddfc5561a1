"""``spinescribe pacs listen``: takes in studies that scanners and archives send, and sends results back."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from cli import faults

if TYPE_CHECKING:
    from service.pacs.listener_config import ListenerConfig


def add_listen(actions: Any, shared: argparse.ArgumentParser) -> None:
    """Add the action to those of ``spinescribe pacs``."""
    parser = actions.add_parser(
        "listen",
        parents=[shared],
        help="take in studies that are sent to us, send results back",
        description="Listen for studies (DICOM storage). A study of which nothing came for a while becomes an "
        "entry of the worklist. Needs the section `listener` of the configuration: who may call, and who owns "
        "what arrives. Ctrl-C or SIGTERM ends it; what arrived is taken in at the next start.",
    )
    parser.add_argument(
        "--config",
        required=True,
        type=Path,
        metavar="FILE",
        help="section listener; see configs/pacs.example.yaml",
    )
    parser.add_argument("--port", type=int, help="port, in place of the configuration's")
    parser.add_argument("--quiet-s", type=float, help="seconds of quiet, in place of the configuration's")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Listen until told to stop."""
    from service.config import load_service_config
    from service.jobs.worker import stop_on_signals
    from service.pacs.listen import listen
    from service.pacs.sending import send_to
    from service.services import Services

    config = _config(arguments)
    send = send_to(arguments.config, config.push_to) if config.has_push else None
    stop = Event()
    stop_on_signals(stop)
    services = Services.open(load_service_config())
    try:
        listen(
            services,
            config,
            stop=stop,
            send=send,
            told=lambda port: faults.say(f"{config.ae_title} listens on port {port}; stop with Ctrl-C"),
        )
    finally:
        services.close()
    return 0


def _config(arguments: argparse.Namespace) -> ListenerConfig:
    """Return the settings of the file, with what the command line says in place of them."""
    from runtime.errors import ConfigError
    from service.pacs.listener_config import load_listener_config

    config = load_listener_config(arguments.config)
    if arguments.port is not None:
        if not 0 <= arguments.port <= 65535:
            raise ConfigError(f"--port: expected 0 to 65535, got {arguments.port}")
        config = replace(config, port=arguments.port)
    if arguments.quiet_s is not None:
        if arguments.quiet_s <= 0:
            raise ConfigError(f"--quiet-s: expected a positive number, got {arguments.quiet_s}")
        config = replace(config, quiet_s=arguments.quiet_s)
    return config
