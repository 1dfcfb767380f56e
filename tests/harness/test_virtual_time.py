"""Virtual time: waits end in the right order, at the right moment, and take no time."""

from __future__ import annotations

import asyncio
import time

import pytest
import uvloop

from tests.virtual_time import START, VirtualClock, VirtualTimeLoop

HOUR = 3600.0


async def test_tests_run_on_uvloop_unless_marked() -> None:
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)


@pytest.mark.virtual_time
async def test_an_hour_passes_at_once(virtual_clock: VirtualClock) -> None:
    begun, really_begun = virtual_clock.monotonic(), time.monotonic()
    await asyncio.sleep(HOUR)
    assert virtual_clock.monotonic() - begun == pytest.approx(HOUR, abs=1e-3)
    assert time.monotonic() - really_begun < 1


@pytest.mark.virtual_time
async def test_timers_fire_in_order_and_on_time(virtual_clock: VirtualClock) -> None:
    fired: list[float] = []

    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)
        fired.append(round(virtual_clock.monotonic() - START, 3))

    async with asyncio.TaskGroup() as group:
        for seconds in (30.0, 0.001, HOUR, 10.0):
            group.create_task(wait(seconds))
    assert fired == [0.001, 10.0, 30.0, HOUR]


@pytest.mark.virtual_time
async def test_a_timeout_is_exact(virtual_clock: VirtualClock) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await asyncio.Event().wait()
    assert virtual_clock.monotonic() - START == pytest.approx(60, abs=1e-3)


@pytest.mark.virtual_time
async def test_both_faces_of_the_clock_move_together(virtual_clock: VirtualClock) -> None:
    wall, steady = virtual_clock.now(), virtual_clock.monotonic()
    await asyncio.sleep(90)
    assert virtual_clock.now() - wall == pytest.approx(virtual_clock.monotonic() - steady)


@pytest.mark.virtual_time
async def test_time_stands_still_while_a_thread_works(virtual_clock: VirtualClock) -> None:
    async with asyncio.timeout(1):
        await asyncio.to_thread(time.sleep, 0.2)
    assert virtual_clock.monotonic() == START


@pytest.mark.virtual_time
async def test_real_sockets_carry_data() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()
    assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
