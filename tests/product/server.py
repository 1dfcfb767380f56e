"""``secureconnect serve`` with the workload's resource and jobs besides: a process to be stopped and killed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from api.cli.serving import run_server
from api.http.endpoints import Resource
from api.platform import Platform
from config.loader import load_configuration
from tests.blocking import Blocked, LoopWatch
from tests.product import workload

# Names the file that is told, at the end, what held the event loop up.
BLOCKED_FILE = "PRODUCT_BLOCKED_FILE"


def main() -> int:
    configuration = load_configuration(None, os.environ, directory=Path.cwd())
    blocked_file = os.environ.get(BLOCKED_FILE)
    if blocked_file is None:
        return run_server(configuration, resources=workload.resources, handlers=workload.handlers)
    found: list[list[Blocked]] = []
    with ExitStack() as stack:
        watch = LoopWatch()
        stack.callback(watch.close)

        def watched(platform: Platform) -> Sequence[Resource]:
            found.append(stack.enter_context(watch.watching(asyncio.get_running_loop(), limit=workload.LOOP_LIMIT)))
            return workload.resources(platform)

        code = run_server(configuration, resources=watched, handlers=workload.handlers)
    Path(blocked_file).write_text("\n\n".join(f"{item.seconds:.3f} s in\n{item.stack}" for item in found[0]))
    return code


if __name__ == "__main__":
    sys.exit(main())
