"""Appends and amends from many tasks and reports what was acknowledged, until it is killed."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from pathlib import Path

import uvloop

from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.messagelog import LogEntry
from tests.adapters.sqlitelog.history import body_of
from tests.contract.messagelogs import Log, embedded

SENDERS = 50
AMENDED_EVERY = 5


async def send(log: Log, ids: IdGenerator, run: str, number: int) -> None:
    conversation = uuid.uuid5(uuid.NAMESPACE_OID, str(number))
    count = 0
    while True:
        count += 1
        key = f"{run}:{number}:{count}"
        # The id is made and the append begun in one go: what this task sends is acknowledged in id order.
        stored = await log.append(LogEntry(conversation, ids.next(), key, body_of(key, 1)))
        report(stored)
        if count % AMENDED_EVERY == 0:
            report(await log.amend(conversation, stored.id, expected_version=1, body=body_of(key, 2)))


def report(entry: LogEntry) -> None:
    os.write(1, f"{entry.conversation} {entry.id} {entry.version}\n".encode())


async def main(path: Path, run: str) -> None:
    ids = IdGenerator(SystemClock())
    async with embedded(path) as log, asyncio.TaskGroup() as tasks:
        for number in range(SENDERS):
            tasks.create_task(send(log, ids, run, number))


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), sys.argv[2]))
