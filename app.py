"""Web entry: ``python app.py`` serves the reading screen (SPINESCRIBE_HOST, SPINESCRIBE_PORT)."""

import logging

import uvicorn

from runtime.settings import load_settings
from service import create_app


def main() -> None:
    """Serve until interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = load_settings()
    logging.getLogger(__name__).info("serving on http://%s:%d", settings.host, settings.port)
    uvicorn.run(create_app(), host=settings.host, port=settings.port, log_level="warning")


if __name__ == "__main__":
    main()
