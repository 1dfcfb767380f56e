"""Logging set up for one test, and its lines read back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config.logs import Logs, configure_logging
from config.sections import Logging

Line = dict[str, Any]


@contextmanager
def logging_to(path: Path, settings: Logging | None = None, **options: Any) -> Iterator[Logs]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    logs = configure_logging(settings or Logging(), descriptor=descriptor, **options)
    try:
        yield logs
    finally:
        assert logs.close()
        os.close(descriptor)


def lines_of(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text().splitlines()]
