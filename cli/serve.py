"""``spinescribe serve``: the reading room and the REST service."""

from __future__ import annotations

import argparse

from cli import faults
from runtime.settings import load_settings


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser("serve", parents=[shared], help="start the reading room")
    parser.add_argument("--host", help="address to bind to (default: SPINESCRIBE_HOST or 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port (default: SPINESCRIBE_PORT or 7860)")
    parser.add_argument(
        "--no-worker", action="store_true", help="start no worker beside it; run `spinescribe worker` elsewhere"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    from service.serving import serve

    settings = load_settings()
    host, port = arguments.host or settings.host, arguments.port or settings.port
    serve(host, port, has_worker=not arguments.no_worker, say=faults.say)
    return 0
