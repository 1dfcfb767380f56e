"""Networks that lose, delay and choke, between clients and a server on this machine.

    async with emulated(("127.0.0.1", port), down=Conditions(loss=0.05, delay=0.04)) as network:
        await page.evaluate(..., through(answer, network.address))
        await network.change(down=Conditions(bottleneck=constant(500_000)))

Everybody who sends to one emulator shares its two links; who is to have links of their own gets an emulator of their
own. What the links do is in ``link.py``, the process that does it in ``process.py``.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from tests.emulator.link import PERFECT, Bottleneck, Bursts, Conditions, Counts, Step, constant
from tests.emulator.orders import Begin, Change, Order, Pause, Report, Status, Way

__all__ = [
    "PERFECT",
    "Bottleneck",
    "Bursts",
    "Conditions",
    "Counts",
    "Emulator",
    "Status",
    "Step",
    "Way",
    "constant",
    "emulated",
    "through",
]

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE: Final = 20.0


class Emulator:
    """Made by ``emulated``. Changes have happened when the call returns."""

    def __init__(self, process: asyncio.subprocess.Process, host: str) -> None:
        self._process = process
        self._host = host
        self._port = 0
        self._turn = asyncio.Lock()

    @property
    def address(self) -> tuple[str, int]:
        """Where clients send to instead of to the server."""
        return self._host, self._port

    async def change(self, *, up: Conditions | None = None, down: Conditions | None = None) -> None:
        for way, conditions in ((Way.UP, up), (Way.DOWN, down)):
            if conditions is not None:
                await self.order(Change(way, conditions))

    async def pause(self, seconds: float, *ways: Way) -> None:
        """Both ways unless told otherwise. What comes meanwhile waits, as long as the queue holds it."""
        for way in ways or tuple(Way):
            await self.order(Pause(way, seconds))

    async def status(self) -> Status:
        return await self.order(Report())

    async def order(self, order: Order) -> Status:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn, asyncio.timeout(PATIENCE):
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            await self._process.stdin.drain()
            status = msgspec.json.decode(await self._process.stdout.readline(), type=Status)
        self._port = status.port
        return status


@asynccontextmanager
async def emulated(
    server: tuple[str, int],
    *,
    up: Conditions = PERFECT,
    down: Conditions = PERFECT,
    seed: int = 1,
    host: str = "127.0.0.1",
) -> AsyncIterator[Emulator]:
    """``up`` is from clients to the server. ``host``: Firefox connects to no loopback address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.emulator.process"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        emulator = Emulator(process, host)
        await emulator.order(Begin(host, *server, up, down, seed))
        yield emulator
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


_CANDIDATE: Final = re.compile(r"a=candidate:(\S+) (\d+) (udp|tcp) (\d+) (\S+) (\d+) ([^\r\n]*)\r?\n", re.IGNORECASE)


def through(answer: str, address: tuple[str, int]) -> str:
    """A server's answer with the emulator as the only place it can be reached at: its first candidate over UDP moved
    there, and no other."""
    first = next((found for found in _CANDIDATE.finditer(answer) if found[3].lower() == "udp"), None)
    if first is None:
        raise ValueError("the answer has no candidate over UDP")
    host, port = address

    def moved(found: re.Match[str]) -> str:
        if found.start() != first.start():
            return ""
        return f"a=candidate:{found[1]} {found[2]} udp {found[4]} {host} {port} {found[7]}\r\n"

    return _CANDIDATE.sub(moved, answer)
