"""``spinescribe worker``: reads the studies that wait in the web service's queue."""

from __future__ import annotations

import argparse
from threading import Event

from cli import faults


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "worker",
        parents=[shared],
        help="read the studies that wait in the web service",
        description="Read the studies that were uploaded to the web service, one after another. Start as many as "
        "the machine has room for; all need the same SPINESCRIBE_HOME and SPINESCRIBE_DATABASE_URL. Ctrl-C or "
        "SIGTERM gives the study under way back to the queue.",
    )
    parser.add_argument("--once", action="store_true", help="end when no study waits")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Work until told to stop."""
    from service.jobs.__main__ import work
    from service.jobs.worker import WorkerOptions, stop_on_signals

    stop = Event()
    stop_on_signals(stop)
    faults.say("the worker waits for studies; stop with Ctrl-C" if not arguments.once else "reading what waits")
    work(stop, WorkerOptions(is_once=arguments.once))
    return 0
