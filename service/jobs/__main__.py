"""``python -m service.jobs``: a worker with the settings of the environment, as ``spinescribe worker``.

With ``--with-parent`` it ends when the process that started it does.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from threading import Event

from service.config import load_service_config
from service.jobs.worker import WorkerOptions, run_worker, stop_on_signals
from service.services import Services

_WATCH_S = 1.0


def main(argv: list[str] | None = None) -> int:
    """Work until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m service.jobs")
    parser.add_argument("--once", action="store_true", help="end when no job waits")
    parser.add_argument("--with-parent", action="store_true", help="end when the process that started it ends")
    parser.add_argument("--reader", default=WorkerOptions.reader, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="spinescribe: worker: %(message)s")
    stop = Event()
    stop_on_signals(stop)
    if arguments.with_parent:
        threading.Thread(target=_stop_with, args=(os.getppid(), stop), daemon=True).start()
    work(stop, WorkerOptions(reader=arguments.reader, is_once=arguments.once))
    return 0


def work(stop: Event, options: WorkerOptions) -> None:
    """Open the service of the environment and work."""
    services = Services.open(load_service_config())
    try:
        run_worker(services, stop=stop, options=options)
    finally:
        services.close()


def _stop_with(parent: int, stop: Event) -> None:
    while os.getppid() == parent and not stop.wait(_WATCH_S):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
