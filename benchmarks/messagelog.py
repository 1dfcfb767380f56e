"""The embedded message log: durable single appends of 1 KiB by concurrent senders in one event loop.

``python -m benchmarks.messagelog`` prints the median of the runs beside two figures that explain it, taken on the
same disk: its own sync time, and what the same writes come to with a transaction each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from adapters.sqlitelog.batch import write
from adapters.sqlitelog.file import open_for_writing
from adapters.sqlitelog.log import open_sqlite_log
from config.sections import Messages
from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.messagelog import LogEntry, MessageLog
from kernel.metrics import Metrics

SENDERS = 100
CONVERSATIONS = 1000
BODY = os.urandom(1024)


@dataclass(frozen=True, slots=True)
class Figures:
    """Latency is from the call to the durable answer, in milliseconds."""

    appends_per_second: float
    p50_ms: float
    p99_ms: float
    alone_per_second: float
    fdatasync_ms: float


async def _measure(path: Path, appends: int) -> tuple[float, list[float]]:
    async with open_sqlite_log(Messages(), path, clock=SystemClock(), metrics=Metrics()) as stores:
        latencies: list[float] = []
        ids = IdGenerator(SystemClock())
        conversations = [uuid.uuid4() for _ in range(CONVERSATIONS)]
        started = time.perf_counter()
        await asyncio.gather(
            *(
                _send(stores.messages, ids, conversations[number::SENDERS], appends // SENDERS, latencies)
                for number in range(SENDERS)
            )
        )
        return len(latencies) / (time.perf_counter() - started), latencies


async def _send(
    log: MessageLog, ids: IdGenerator, conversations: list[uuid.UUID], count: int, latencies: list[float]
) -> None:
    for number in range(count):
        entry = LogEntry(conversations[number % len(conversations)], ids.next(), f"sender:{uuid.uuid4().hex}", BODY)
        asked = time.perf_counter()
        await log.append(entry)
        latencies.append(time.perf_counter() - asked)


def _alone(path: Path, appends: int) -> float:
    """A transaction, hence a sync, for each; no event loop and no thread between them."""
    ids, conversation = IdGenerator(SystemClock()), uuid.uuid4()
    with closing(open_for_writing(path)) as connection:
        started = time.perf_counter()
        for number in range(appends):
            write(connection, [LogEntry(conversation, ids.next(), f"sender:{number}", BODY)])
        return appends / (time.perf_counter() - started)


def _sync_ms(directory: Path) -> float:
    """Of one page written and synced, the median."""
    samples = []
    with (directory / "sync").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(bytes(8192))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            samples.append((time.perf_counter() - started) * 1000)
    return statistics.median(samples)


def _run(appends: int) -> Figures:
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        rate, latencies = uvloop.run(_measure(folder / "messages.db", appends))
        percentiles = statistics.quantiles(latencies, n=100)
        return Figures(
            appends_per_second=rate,
            p50_ms=percentiles[49] * 1000,
            p99_ms=percentiles[98] * 1000,
            alone_per_second=_alone(folder / "alone.db", min(appends, 5000)),
            fdatasync_ms=_sync_ms(folder),
        )


def main(emit: Callable[[str], object] = print) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--appends", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rounds = [asdict(_run(options.appends)) for _ in range(options.rounds)]
    medians = {name: round(statistics.median(each[name] for each in rounds), 3) for name in rounds[0]}
    emit(json.dumps({"rounds": rounds, "median": medians}, indent=1))


if __name__ == "__main__":
    main()
