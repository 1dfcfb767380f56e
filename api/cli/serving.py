"""``secureconnect serve``."""

from __future__ import annotations

import sys
from pathlib import Path

import structlog
import uvloop

from api.cli.files import require_files
from api.cli.main import EXIT_FAILED, EXIT_OK
from api.listening import CannotListen
from api.platform import SchemaBehind
from api.serve import Handlers, Resources, no_handlers, no_resources, serve
from config.loader import Configuration
from config.logs import configure_logging
from config.printing import changed_settings
from config.secrets import derive_key, known_secrets, obtain_secret
from kernel.errors import SecureConnectError

_log = structlog.stdlib.get_logger("api.serving")


def run_server(
    configuration: Configuration, *, resources: Resources = no_resources, handlers: Handlers = no_handlers
) -> int:
    settings = configuration.settings
    require_files(configuration)
    secret = obtain_secret(settings.security, Path(settings.server.data_dir))
    logs = configure_logging(
        settings.logging,
        hash_key=derive_key(secret, "logs"),
        known_secrets=known_secrets(settings, secret),
        catch_uncaught=True,
    )
    _log.info("configuration", file=str(configuration.file or ""), changed=changed_settings(configuration))
    try:
        serving = serve(
            settings, secret, access_log=logs.access, announce=_announce, resources=resources, handlers=handlers
        )
        in_time = uvloop.run(serving)
    except (CannotListen, SchemaBehind) as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    except SecureConnectError as error:
        print(f"Cannot start: {error.detail}", file=sys.stderr)
        return EXIT_FAILED
    except (ValueError, OSError) as error:  # a setting that only its store could find impossible
        _log.exception("cannot start")
        print(f"Cannot start: {error}", file=sys.stderr)
        return EXIT_FAILED
    finally:
        logs.close()
    return EXIT_OK if in_time else EXIT_FAILED


def _announce(line: str) -> None:
    sys.stdout.write(line + "\n")  # one write, so that a log line of another thread does not come in between
    sys.stdout.flush()
