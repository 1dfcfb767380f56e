"""The read cache: what it saves, and above all what it must never answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import cache as cache_module
from adapters.cache import CHANNEL, ReadCache, open_cache
from adapters.memory import MemoryBus
from kernel.bus import Subscription
from kernel.errors import DependencyUnavailable, NotFound
from kernel.metrics import Metrics
from tests.clocks import VirtualClock


class Row:
    """A row of a store: what it holds now, and how often it was read."""

    def __init__(self) -> None:
        self.value = 0
        self.reads = 0

    async def read(self) -> int:
        self.reads += 1
        value = self.value
        await asyncio.sleep(0)
        return value


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(Metrics())


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def cache(bus: MemoryBus, clock: VirtualClock, metrics: Metrics) -> AsyncIterator[ReadCache]:
    async with open_cache(bus, ttl=60, size=3, clock=clock, metrics=metrics) as cache:
        yield cache


async def settle() -> None:
    """Lets every event that was published reach its reader."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_value_is_loaded_once_and_then_served_from_memory(cache: ReadCache) -> None:
    row = Row()
    assert [await cache.get_or_load("row", row.read) for _ in range(3)] == [0, 0, 0]
    assert row.reads == 1


async def test_none_is_a_value_too(cache: ReadCache) -> None:
    loads = 0

    async def absent() -> None:
        nonlocal loads
        loads += 1

    await cache.get_or_load("row", absent)
    await cache.get_or_load("row", absent)
    assert loads == 1


async def test_an_entry_expires(cache: ReadCache, clock: VirtualClock) -> None:
    row = Row()
    await cache.get_or_load("row", row.read)
    row.value = 1
    clock.advance(59.9)
    assert await cache.get_or_load("row", row.read) == 0
    clock.advance(0.1)
    assert await cache.get_or_load("row", row.read) == 1


async def test_the_least_recently_used_entry_makes_room(cache: ReadCache) -> None:
    rows = {key: Row() for key in "abcd"}
    for key in "abcad":
        await cache.get_or_load(key, rows[key].read)
    for key in "acd":
        await cache.get_or_load(key, rows[key].read)
    assert {key: row.reads for key, row in rows.items()} == {"a": 1, "b": 1, "c": 1, "d": 1}
    await cache.get_or_load("b", rows["b"].read)
    assert rows["b"].reads == 2


async def test_those_who_ask_at_the_same_time_share_one_load(cache: ReadCache) -> None:
    row = Row()
    assert await asyncio.gather(*(cache.get_or_load("row", row.read) for _ in range(50))) == [0] * 50
    assert row.reads == 1


async def test_the_load_goes_on_for_the_others_when_the_first_to_ask_is_cancelled(cache: ReadCache) -> None:
    row = Row()
    first = asyncio.create_task(cache.get_or_load("row", row.read))
    second = asyncio.create_task(cache.get_or_load("row", row.read))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 0
    assert first.cancelled()
    assert row.reads == 1


async def test_a_failed_load_reaches_all_who_asked_and_is_not_remembered(cache: ReadCache) -> None:
    async def missing() -> int:
        await asyncio.sleep(0)
        raise NotFound("Not there.")

    outcomes = await asyncio.gather(*(cache.get_or_load("row", missing) for _ in range(2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [NotFound, NotFound]
    assert await cache.get_or_load("row", Row().read) == 0


async def test_a_change_is_seen_at_once_here_and_soon_on_other_nodes(bus: MemoryBus, clock: VirtualClock) -> None:
    row, other_row = Row(), Row()
    async with (
        open_cache(bus, ttl=60, size=10, clock=clock, metrics=Metrics()) as here,
        open_cache(bus, ttl=60, size=10, clock=clock, metrics=Metrics()) as there,
    ):
        for cache in (here, there):
            await cache.get_or_load("row", row.read)
            await cache.get_or_load("other", other_row.read)
        row.value = other_row.value = 1
        await here.invalidate("row")
        assert await here.get_or_load("row", row.read) == 1
        await settle()
        assert await there.get_or_load("row", row.read) == 1
        assert await there.get_or_load("other", other_row.read) == 0


async def test_a_load_that_a_change_overtook_is_neither_kept_nor_joined(cache: ReadCache) -> None:
    row = Row()
    may_answer = asyncio.Event()

    async def slow_read() -> int:
        value = row.value
        await may_answer.wait()
        return value

    early = asyncio.create_task(cache.get_or_load("row", slow_read))
    await settle()
    row.value = 1
    await cache.invalidate("row")
    assert await cache.get_or_load("row", row.read) == 1
    may_answer.set()
    assert await early == 0
    assert await cache.get_or_load("row", row.read) == 1


async def test_lost_events_empty_the_cache(clock: VirtualClock) -> None:
    metrics = Metrics()
    bus = MemoryBus(metrics)
    row = Row()
    async with open_cache(bus, ttl=60, size=10, clock=clock, metrics=metrics) as cache:
        await cache.get_or_load("row", row.read)
        row.value = 1
        bus._fanout.lose("a test says so")
        await settle()
        assert await cache.get_or_load("row", row.read) == 1


async def test_a_ttl_of_zero_turns_the_cache_off(bus: MemoryBus, clock: VirtualClock) -> None:
    row = Row()
    async with open_cache(bus, ttl=0, size=10, clock=clock, metrics=Metrics()) as cache:
        assert [await cache.get_or_load("row", row.read) for _ in range(3)] == [0, 0, 0]
        await cache.invalidate("row")
    assert row.reads == 3


class BrokenBus(MemoryBus):
    """Away until it is mended, as a Redis that restarts."""

    def __init__(self) -> None:
        super().__init__(Metrics())
        self.broken = True

    async def publish(self, channel: str, payload: bytes) -> None:
        if self.broken:
            raise DependencyUnavailable("redis", "connection refused")
        await super().publish(channel, payload)

    def subscribe(self, channels: Collection[str], *, queue: int = 1024) -> AbstractAsyncContextManager[Subscription]:
        if self.broken:
            raise DependencyUnavailable("redis", "connection refused")
        return super().subscribe(channels, queue=queue)


async def test_a_node_that_cannot_listen_keeps_nothing_until_it_can(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "LISTEN_AGAIN_AFTER", 0.01)
    bus, row = BrokenBus(), Row()
    async with open_cache(bus, ttl=60, size=10, clock=clock, metrics=Metrics()) as cache:
        await cache.get_or_load("row", row.read)
        await cache.get_or_load("row", row.read)
        assert row.reads == 2
        bus.broken = False
        async with asyncio.timeout(2):
            while CHANNEL not in bus._fanout.channels():
                await asyncio.sleep(0.01)
        await cache.get_or_load("row", row.read)
        await cache.get_or_load("row", row.read)
        assert row.reads == 3


async def test_a_change_that_cannot_be_announced_is_counted_and_never_fails(clock: VirtualClock) -> None:
    bus, metrics, row = BrokenBus(), Metrics(), Row()
    bus.broken = False
    async with open_cache(bus, ttl=60, size=10, clock=clock, metrics=metrics) as cache:
        await cache.get_or_load("row", row.read)
        row.value = 1
        bus.broken = True
        await cache.invalidate("row")
        assert await cache.get_or_load("row", row.read) == 1
        assert metrics.registry.get_sample_value("secureconnect_cache_invalidations_unsent_total") == 1


async def test_closing_ends_loads_that_still_run(bus: MemoryBus, clock: VirtualClock) -> None:
    async with open_cache(bus, ttl=60, size=10, clock=clock, metrics=Metrics()) as cache:
        waiting = asyncio.create_task(cache.get_or_load("row", asyncio.Event().wait))
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting


@dataclass
class Reader:
    """A read under way: it looks at the row when it may, and answers later."""

    floor: int
    answer: asyncio.Task[int]


@dataclass
class Race:
    """Nodes that read and change one row in an order that hypothesis makes up.

    ``floor`` is what a read that starts now on that node has to see at least: the newest change of its own whose
    invalidation has returned, and every change that the bus has delivered.
    """

    caches: list[ReadCache]
    value: int = 0
    floors: list[int] = field(default_factory=lambda: [0, 0])
    gates: list[asyncio.Event] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)

    def start_read(self, node: int) -> None:
        may_look, may_answer = asyncio.Event(), asyncio.Event()

        async def load() -> int:
            await may_look.wait()
            seen = self.value
            await may_answer.wait()
            return seen

        self.gates += [may_look, may_answer]
        self.readers.append(Reader(self.floors[node], asyncio.create_task(self.caches[node].get_or_load("row", load))))

    async def change(self, node: int) -> None:
        self.value += 1
        await self.caches[node].invalidate("row")
        self.floors[node] = self.value

    async def deliver(self, _node: int) -> None:
        await settle()
        self.floors = [self.value, self.value]

    def open_a_gate(self, number: int) -> None:
        closed = [gate for gate in self.gates if not gate.is_set()]
        if closed:
            closed[number % len(closed)].set()


STEPS = st.lists(
    st.tuples(st.sampled_from(["read", "change", "deliver", "gate", "gate", "yield"]), st.integers(0, 5)), max_size=40
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_no_read_ever_answers_less_than_what_was_invalidated_before_it_started(steps: list[tuple[str, int]]) -> None:
    asyncio.run(run_race(steps))


async def run_race(steps: list[tuple[str, int]]) -> None:
    bus, clock = MemoryBus(Metrics()), VirtualClock()
    async with AsyncExitStack() as stack:
        caches = [
            await stack.enter_async_context(open_cache(bus, ttl=60, size=10, clock=clock, metrics=Metrics()))
            for _ in range(2)
        ]
        race = Race(caches)
        actions: dict[str, Callable[[int], Awaitable[None] | None]] = {
            "read": lambda number: race.start_read(number % 2),
            "change": lambda number: race.change(number % 2),
            "deliver": race.deliver,
            "gate": race.open_a_gate,
            "yield": lambda _number: asyncio.sleep(0),
        }
        for name, number in steps:
            pending = actions[name](number)
            if pending is not None:
                await pending
        for gate in race.gates:
            gate.set()
        for reader in race.readers:
            assert await reader.answer >= reader.floor
