"""Sockets at the end of the process: told, waited for, and cut."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from api.lifecycle import CUT_SECONDS, GOING_AWAY, CloseSocket, Lifecycle
from kernel.errors import Overloaded
from kernel.metrics import Metrics
from tests.clocks import VirtualClock

SLACK = 0.4
# The loop tells time in whole milliseconds.
EARLY = 0.005


class Sockets:
    def __init__(self, most: int = 10) -> None:
        self.clock, self.metrics = VirtualClock(), Metrics()
        self.lifecycle = Lifecycle(self.clock, self.metrics, max_sockets=most)
        self.told: list[tuple[str, int, str]] = []

    def polite(self, name: str) -> CloseSocket:
        async def close(code: int, reason: str) -> None:
            self.told.append((name, code, reason))

        return close

    async def close(self, *, within: float = 0.1) -> dict[str, int]:
        """What was logged about it."""
        with capture_logs() as lines:
            await self.lifecycle.close_sockets("server is stopping", within=within)
        return {name: lines[0][name] for name in ("told", "failed", "cut")} if lines else {}

    def gauge(self) -> float | None:
        return self.metrics.registry.get_sample_value("secureconnect_sockets_open")


async def test_every_socket_is_told_why() -> None:
    sockets = Sockets()
    for name in "abc":
        sockets.lifecycle.register_socket(sockets.polite(name))
    assert await sockets.close() == {"told": 3, "failed": 0, "cut": 0}
    assert sockets.told == [(name, GOING_AWAY, "server is stopping") for name in "abc"]


async def test_a_socket_that_ended_before_is_not_told() -> None:
    sockets = Sockets()
    forget = sockets.lifecycle.register_socket(sockets.polite("gone"))
    sockets.lifecycle.register_socket(sockets.polite("here"))
    forget()
    forget()
    await sockets.close()
    assert [name for name, _, _ in sockets.told] == ["here"]


async def test_without_sockets_there_is_nothing_to_wait_for() -> None:
    assert await Sockets().close(within=60.0) == {}


async def test_one_that_does_not_take_its_goodbye_is_cut_and_the_others_are_told_all_the_same() -> None:
    sockets = Sockets()
    cut = asyncio.Event()

    async def never(code: int, reason: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    sockets.lifecycle.register_socket(never)
    sockets.lifecycle.register_socket(sockets.polite("b"))
    started = time.monotonic()
    assert await sockets.close(within=0.1) == {"told": 1, "failed": 0, "cut": 1}
    assert 0.1 - EARLY <= time.monotonic() - started < 0.1 + SLACK
    assert cut.is_set()


async def test_one_that_will_not_even_be_cancelled_holds_nobody_up() -> None:
    sockets = Sockets()
    let_go = asyncio.Event()

    async def stubborn(code: int, reason: str) -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    sockets.lifecycle.register_socket(stubborn)
    started = time.monotonic()
    try:
        async with asyncio.timeout(5.0):
            assert (await sockets.close(within=0.1))["cut"] == 1
        assert time.monotonic() - started < 0.1 + CUT_SECONDS + SLACK
    finally:
        let_go.set()
        await asyncio.sleep(0)


async def test_one_that_fails_is_counted_and_spoils_nothing() -> None:
    sockets = Sockets()

    async def broken(code: int, reason: str) -> None:
        raise ConnectionResetError

    async def ends_cancelled(code: int, reason: str) -> None:
        raise asyncio.CancelledError

    for close in (broken, ends_cancelled, sockets.polite("c")):
        sockets.lifecycle.register_socket(close)
    assert await sockets.close() == {"told": 1, "failed": 2, "cut": 0}


async def test_nobody_is_registered_while_stopping() -> None:
    sockets = Sockets()
    assert not sockets.lifecycle.stopping
    sockets.lifecycle.stop()
    with pytest.raises(Overloaded) as caught:
        sockets.lifecycle.register_socket(sockets.polite("late"))
    assert caught.value.code == "server_stopping"
    assert sockets.lifecycle.open_sockets() == 0


async def test_there_is_room_for_so_many_and_again_when_one_ends() -> None:
    sockets = Sockets(most=2)
    forget = sockets.lifecycle.register_socket(sockets.polite("a"))
    sockets.lifecycle.register_socket(sockets.polite("b"))
    with pytest.raises(Overloaded) as caught:
        sockets.lifecycle.register_socket(sockets.polite("c"))
    assert caught.value.code == "too_many_sockets"
    assert (sockets.lifecycle.open_sockets(), sockets.gauge()) == (2, 2.0)
    forget()
    sockets.lifecycle.register_socket(sockets.polite("c"))
    await sockets.close()
    assert [name for name, _, _ in sockets.told] == ["b", "c"]


def test_uptime_is_counted_on_a_clock_that_nobody_corrects() -> None:
    sockets = Sockets()
    sockets.clock.advance(5.0)
    sockets.clock.set_back(3_600.0)
    assert sockets.lifecycle.uptime() == 5.0
