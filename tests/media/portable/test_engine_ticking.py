"""What is due is done, however late the timer comes, and a fault of one duty is no end of the others."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
import structlog

from media.errors import BadPacket
from media.portable.containment import QUIET, Containment
from media.portable.ticking import LATE, STEP, Duty, Ticking
from tests.clocks import VirtualClock


class LoopClock(VirtualClock):
    """That of the loop, which jumps."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Work:
    def __init__(self) -> None:
        self.done: list[float] = []

    def __call__(self, now: float) -> None:
        self.done.append(now)


def ticking(*duties: Duty) -> tuple[Ticking, Counter[str]]:
    clock, drops = LoopClock(), Counter[str]()
    return Ticking(clock, Containment(drops, clock), duties), drops


@pytest.mark.virtual_time
async def test_each_duty_is_done_in_its_period() -> None:
    often, seldom = Work(), Work()
    made, _ = ticking(Duty(0.0, often), Duty(0.1, seldom))
    made.start()
    await asyncio.sleep(1.01)
    made.stop()
    assert len(often.done) == pytest.approx(1 / STEP, abs=1)
    assert len(seldom.done) == pytest.approx(10, abs=2)


@pytest.mark.virtual_time
async def test_after_a_stop_nothing_is_done() -> None:
    work = Work()
    made, _ = ticking(Duty(0.0, work))
    made.start()
    await asyncio.sleep(0.1)
    made.stop()
    before = len(work.done)
    await asyncio.sleep(1)
    assert len(work.done) == before


@pytest.mark.virtual_time
async def test_a_fault_in_one_duty_ends_neither_the_others_nor_itself() -> None:
    work, tries = Work(), 0

    def broken(_now: float) -> None:
        nonlocal tries
        tries += 1
        raise RuntimeError("a fault of ours")

    made, drops = ticking(Duty(0.0, broken), Duty(0.0, work))
    made.start()
    with structlog.testing.capture_logs() as logs:
        await asyncio.sleep(0.5)
    made.stop()
    assert len(work.done) == tries >= 20
    assert drops == {"internal_error": tries}
    assert len(logs) == 1


class StallingClock(VirtualClock):
    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


@pytest.mark.virtual_time
async def test_a_tick_that_comes_late_lets_the_loop_read_first_and_is_one_tick() -> None:
    clock, work = StallingClock(), Work()
    drops: Counter[str] = Counter()
    made = Ticking(clock, Containment(drops, clock), [Duty(0.1, work)])
    made.start()
    await asyncio.sleep(0.105)
    before = len(work.done)
    clock.ahead = 10 * LATE
    # The tick at 0.12 finds that it is late, and is done with a moment later.
    await asyncio.sleep(0.0155)
    assert len(work.done) == before
    await asyncio.sleep(0.005)
    assert len(work.done) == before + 1
    await asyncio.sleep(0.05)
    assert len(work.done) == before + 1
    made.stop()


def test_a_fault_is_logged_with_its_stack_once_a_minute_and_counted_each_time() -> None:
    clock, drops = VirtualClock(), Counter[str]()
    containment = Containment(drops, clock)

    def broken() -> None:
        raise IndexError("a fault of ours")

    with structlog.testing.capture_logs() as logs:
        for _ in range(5):
            containment.run(broken)
        clock.advance(QUIET)
        containment.run(broken)
    assert drops == {"internal_error": 6}
    assert [log["faults"] for log in logs] == [1, 6]
    assert all(isinstance(log["exc_info"], IndexError) for log in logs)


def test_a_bad_packet_is_no_fault() -> None:
    drops: Counter[str] = Counter()

    def refuse() -> None:
        raise BadPacket("rtp_version")

    with structlog.testing.capture_logs() as logs:
        Containment(drops, VirtualClock()).run(refuse)
    assert drops == {"rtp_version": 1}
    assert logs == []
