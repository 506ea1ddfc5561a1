"""Web entry: ``python app.py`` serves the reading room and runs a worker beside it."""

import logging
import sys

from runtime.errors import ConfigError
from runtime.settings import load_settings
from service.serving import serve

logger = logging.getLogger("spinescribe")


def main() -> int:
    """Serve until interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = load_settings()
        serve(settings.host, settings.port, has_worker=True, say=logger.info)
    except ConfigError as error:
        logger.error("%s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
