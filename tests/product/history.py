"""Writers who do not give up, and whether the stores agree with what they were told."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from api.http.idempotency import HEADER
from api.platform import Platform
from tests.product.workload import Traces, Write

AGAIN_AFTER = 0.05
# About as long as a write takes: half of those that a kill cuts off have happened.
LINGER = 0.02
# The server is away, says so, or still answers the same request: the three reasons to ask again.
LATER = {503: {"dependency_unavailable", "request_timeout", "server_stopping"}, 409: {"request_in_progress"}}


def body_of(client: str, number: int) -> str:
    """Follows from the write, so that a reader can tell a torn one."""
    seed = hashlib.sha256(f"{client} {number}".encode()).hexdigest()
    return f"{number}:" + seed * (1 + number % 40)


@dataclass
class Writer:
    """One write after the other, each repeated under the same Idempotency-Key until it is acknowledged."""

    kind: str
    name: str = field(default_factory=lambda: secrets.token_hex(6))
    acknowledged: list[str] = field(default_factory=list)
    repeats: int = 0
    ending: bool = False

    @property
    def writes(self) -> list[Write]:
        """What has been acknowledged."""
        return [self._write(number + 1) for number in range(len(self.acknowledged))]

    def _write(self, number: int) -> Write:
        return Write(client=self.name, number=number, payload=body_of(self.name, number))

    async def run(self, session: aiohttp.ClientSession) -> None:
        while not self.ending:
            write = self._write(len(self.acknowledged) + 1)
            key = secrets.token_hex(8)
            place = await self._send(session, write, key)
            while place is None:
                self.repeats += 1
                await asyncio.sleep(AGAIN_AFTER)
                place = await self._send(session, write, key)
            self.acknowledged.append(place)

    async def _send(self, session: aiohttp.ClientSession, write: Write, key: str) -> str | None:
        body = {"client": write.client, "number": write.number, "payload": write.payload, "linger": LINGER}
        try:
            async with session.post(f"/v1/product/{self.kind}", json=body, headers={HEADER: key}) as answer:
                report = await answer.json(content_type=None)
        except (aiohttp.ClientError, ValueError):
            return None
        if answer.ok:
            return str(report["place"])
        assert report["code"] in LATER.get(answer.status, set()), (answer.status, report)
        return None


async def check(platform: Platform, writers: Sequence[Writer]) -> int:
    """Everything acknowledged is there once, whole and in order, and at most one write besides: the one that nobody
    was told about. Answers how many acknowledged writes were found."""
    traces = Traces(platform)
    checks = {"messages": _messages, "events": _events, "units": _units, "objects": _objects, "jobs": _jobs}
    for writer in writers:
        await checks[writer.kind](traces, writer)
    return sum(len(writer.acknowledged) for writer in writers)


async def _messages(traces: Traces, writer: Writer) -> None:
    stored = await traces.messages(writer.name)
    assert [str(entry.id) for entry in stored][: len(writer.acknowledged)] == writer.acknowledged
    _in_order([entry.body.decode() for entry in stored], writer)
    assert [entry.key for entry in stored] == [str(number + 1) for number in range(len(stored))]


async def _events(traces: Traces, writer: Writer) -> None:
    assert writer.acknowledged == [str(number + 1) for number in range(len(writer.acknowledged))]
    _in_order(await traces.events(writer.name), writer)


def _in_order(bodies: list[str], writer: Writer) -> None:
    assert bodies == [body_of(writer.name, number + 1) for number in range(len(bodies))]
    assert len(bodies) - len(writer.acknowledged) in (0, 1)


async def _units(traces: Traces, writer: Writer) -> None:
    """The row and what counts it were written together; the job that was written with them runs later."""
    notes = await traces.notes(writer.name)
    assert notes == set(range(1, len(notes) + 1))
    assert len(notes) - len(writer.acknowledged) in (0, 1)
    assert await traces.total(writer.name) == len(notes)
    assert writer.acknowledged == [str(number + 1) for number in range(len(writer.acknowledged))]


async def _objects(traces: Traces, writer: Writer) -> None:
    for write in writer.writes:
        assert await traces.content(write) == write.payload


async def _jobs(_traces: Traces, writer: Writer) -> None:
    assert len(set(writer.acknowledged)) == len(writer.acknowledged)


def expected_runs(writers: Sequence[Writer]) -> set[str]:
    """The jobs that have to run sooner or later: those enqueued, and those of units of work."""
    return {
        f"{writer.kind}/{write.key}"
        for writer in writers
        if writer.kind in ("jobs", "units")
        for write in writer.writes
    }
