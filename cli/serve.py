"""``spinescribe serve``: the web page and the REST service."""

from __future__ import annotations

import argparse

from cli import faults
from runtime.settings import load_settings


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser("serve", parents=[shared], help="start the web page")
    parser.add_argument("--host", help="address to bind to (default: SPINESCRIBE_HOST or 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port (default: SPINESCRIBE_PORT or 7860)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    import uvicorn

    from service.web import create_app

    settings = load_settings()
    host = arguments.host or settings.host
    port = arguments.port or settings.port
    app = create_app()
    faults.say(f"serving on http://{host}:{port}; stop with Ctrl-C")
    uvicorn.run(app, host=host, port=port, log_level="warning")
    return 0
