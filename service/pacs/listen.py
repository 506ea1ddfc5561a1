"""The listener's process: takes in instances, makes worklist entries of them, sends results back."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from service.pacs.inbox import Inbox
from service.pacs.intake import FOLDER, Intake, owner_of
from service.pacs.listener import Listener
from service.pacs.listener_config import ListenerConfig
from service.pacs.results import Results, Send
from service.services import Services

_GB = 10**9
_END_S = 30.0


def listen(
    services: Services,
    config: ListenerConfig,
    *,
    stop: Event,
    send: Send | None = None,
    told: Callable[[int], None] | None = None,
) -> None:
    """Listen until ``stop`` is set.

    Args:
        services: The open service.
        config: How.
        stop: Set when the process is to end.
        send: How results are sent; None sends none.
        told: Called with the port when callers are answered.

    Raises:
        ConfigError: If the owner does not exist, the address is taken, or another listener runs.
    """
    with services.database.read() as session:
        owner_of(session, config)
    inbox = open_inbox(services, config)
    threads = []
    try:
        listener = Listener(config, inbox)
        if send is not None and config.has_push:
            results = Results(services, config, send)
            # A daemon: a node that is waited for does not keep the process; what was not noted is sent again.
            threads.append(Thread(target=results.run, args=(stop,), name="pacs-results", daemon=True))
            threads[0].start()
        with listener.listening() as port:
            if told is not None:
                told(port)
            Intake(services, config, inbox, listener).run(stop)
    finally:
        stop.set()
        for thread in threads:
            thread.join(_END_S)
        inbox.close()


def open_inbox(services: Services, config: ListenerConfig) -> Inbox:
    """Open the inbox of a service, within the bounds of a configuration.

    Raises:
        ConfigError: If another listener owns it.
    """
    root = services.config.work_dir / FOLDER
    return Inbox(root, max_bytes=int(config.max_gb * _GB), free_bytes=int(config.free_gb * _GB))
