"""HTTP clients that write without pause, and what they were told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

PROBLEM = "application/problem+json"
PAUSE = 0.02
GIVE_UP = 30.0


@dataclass(frozen=True)
class Failure:
    """A request that was not answered 2xx. ``status`` is 0 when the connection broke instead."""

    status: int
    content_type: str
    code: str
    retry_after: float | None
    seconds: float
    ended_at: float


@dataclass
class Client:
    """Writes number after number; sends one again until it is acknowledged."""

    name: str
    write: str
    payload: str = "x"
    acknowledged: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    latest_success: float = 0.0

    async def run(self, session: aiohttp.ClientSession) -> None:
        while True:
            await self._send(session)
            await asyncio.sleep(PAUSE)

    async def _send(self, session: aiohttp.ClientSession) -> None:
        body = {"client": self.name, "number": len(self.acknowledged) + 1, "payload": self.payload}
        began = time.monotonic()
        try:
            async with asyncio.timeout(GIVE_UP), session.post(f"/v1/product/{self.write}", json=body) as answer:
                report = await answer.json(content_type=None)
                ended = time.monotonic()
                if answer.ok:
                    self.acknowledged.append(report["place"])
                    self.seconds.append(ended - began)
                    self.latest_success = ended
                    return
                waiting = answer.headers.get("Retry-After")
                self.failures.append(
                    Failure(
                        answer.status,
                        answer.content_type,
                        report["code"],
                        None if waiting is None else float(waiting),
                        ended - began,
                        ended,
                    )
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            ended = time.monotonic()
            self.failures.append(Failure(0, "", type(error).__name__, None, ended - began, ended))


class Load:
    def __init__(self, clients: Sequence[Client]) -> None:
        self.clients = clients

    def of(self, *writes: str) -> list[Client]:
        return [client for client in self.clients if client.write in writes]

    def failures(self, *writes: str) -> list[Failure]:
        return [failure for client in self.of(*writes) for failure in client.failures]

    def told(self, *writes: str) -> Counter[tuple[int, str]]:
        return Counter((failure.status, failure.code) for failure in self.failures(*writes))

    async def succeeds(self, *writes: str, since: float, within: float) -> None:
        """Every kind of write, for whichever client. Polled: the clients are in the middle of their loops."""

        def latest(write: str) -> float:
            return max(client.latest_success for client in self.of(write))

        await until(lambda: all(latest(write) > since for write in writes), within=within)


async def until(condition: Callable[[], bool], *, within: float) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running_load(url: str, clients: Sequence[Client]) -> AsyncIterator[Load]:
    """On connections of its own."""
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:
        tasks = [asyncio.create_task(client.run(session)) for client in clients]
        try:
            yield Load(clients)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
    broken = [end for end in ended if not isinstance(end, asyncio.CancelledError)]
    assert not broken, broken
