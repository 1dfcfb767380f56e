"""What kernel.streams promises, held against every adapter, as two nodes of one deployment see it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.memory import MemoryBus
from adapters.redis import open_redis
from adapters.sql.migrate import upgrade
from kernel.bus import EventBus
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from kernel.streams import DurableStreams
from tests.adapters.sql.relational import opened, settings_for, url_for
from tests.contract.ephemeral import redis_settings


@dataclass(frozen=True)
class TwoNodes:
    one: DurableStreams
    other: DurableStreams


@asynccontextmanager
async def sql_streams(url: str, data_dir: Path, bus: EventBus | None) -> AsyncIterator[TwoNodes]:
    settings = settings_for(url)
    async with opened(settings, data_dir, bus=bus) as one, opened(settings, data_dir, bus=bus) as other:
        await upgrade(one)
        yield TwoNodes(one.streams, other.streams)


@asynccontextmanager
async def redis_streams(url: str) -> AsyncIterator[TwoNodes]:
    settings = redis_settings(url)
    async with (
        open_redis(settings, clock=SystemClock(), metrics=Metrics()) as one,
        open_redis(settings, clock=SystemClock(), metrics=Metrics()) as other,
    ):
        yield TwoNodes(one.streams, other.streams)


# With a bus readers are woken, without one ("polling") they look again and again.
ADAPTERS = (
    "sqlite",
    "sqlite polling",
    pytest.param("postgresql", marks=pytest.mark.service("postgres")),
    pytest.param("postgresql polling", marks=pytest.mark.service("postgres")),
    pytest.param("cockroachdb", marks=pytest.mark.service("postgres")),
    pytest.param("redis", marks=pytest.mark.service("redis")),
)


@pytest.fixture(params=ADAPTERS)
async def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TwoNodes]:
    adapter, _, polling = request.param.partition(" ")
    if adapter == "redis":
        opening = redis_streams(request.getfixturevalue("redis_server").url)
    else:
        opening = sql_streams(url_for(adapter, request), tmp_path, None if polling else MemoryBus(Metrics()))
    async with opening as both:
        yield both


@pytest.fixture
def streams(nodes: TwoNodes) -> DurableStreams:
    return nodes.one


async def payloads(streams: DurableStreams, stream: str, *, after: int = 0) -> list[bytes]:
    return [record.payload for record in await streams.read(stream, after=after, limit=10_000)]


async def test_positions_count_from_one_and_records_are_read_in_that_order(streams: DurableStreams) -> None:
    assert [await streams.append("room", payload) for payload in (b"a", b"b", b"c")] == [1, 2, 3]
    before = time.time()
    records = await streams.read("room")
    assert [(record.stream, record.position, record.payload) for record in records] == [
        ("room", 1, b"a"),
        ("room", 2, b"b"),
        ("room", 3, b"c"),
    ]
    assert all(before - 30 < record.appended_at <= time.time() for record in records)


async def test_streams_do_not_know_each_other(streams: DurableStreams) -> None:
    assert await streams.append("one", b"1") == 1
    assert await streams.append("two", b"2") == 1
    assert await payloads(streams, "one") == [b"1"]
    assert await streams.last("three") == 0
    assert await streams.read("three") == []


async def test_reading_goes_on_behind_a_position_and_stops_at_the_limit(streams: DurableStreams) -> None:
    for number in range(10):
        await streams.append("room", b"%d" % number)
    assert [record.position for record in await streams.read("room", after=4, limit=3)] == [5, 6, 7]
    assert await streams.read("room", after=10) == []


async def test_what_one_node_appended_the_other_reads(nodes: TwoNodes) -> None:
    assert await nodes.one.append("room", b"from one") == 1
    assert await nodes.other.append("room", b"from the other") == 2
    assert await payloads(nodes.one, "room") == await payloads(nodes.other, "room") == [b"from one", b"from the other"]
    assert await nodes.other.last("room") == 2


async def test_a_retried_append_answers_the_first_position_and_adds_nothing(nodes: TwoNodes) -> None:
    assert await nodes.one.append("room", b"first", key="k") == 1
    assert await nodes.one.append("room", b"between") == 2
    assert await nodes.other.append("room", b"retry", key="k") == 1
    assert await nodes.one.append("room", b"new", key="other") == 3
    assert await payloads(nodes.one, "room") == [b"first", b"between", b"new"]


async def test_a_key_belongs_to_its_stream(streams: DurableStreams) -> None:
    assert await streams.append("one", b"1", key="k") == 1
    assert await streams.append("two", b"2", key="k") == 1
    assert await payloads(streams, "two") == [b"2"]


async def test_of_many_appends_with_one_key_at_the_same_time_one_is_kept(nodes: TwoNodes) -> None:
    appends = [node.append("room", b"x", key="same") for _ in range(10) for node in (nodes.one, nodes.other)]
    appends += [nodes.one.append("room", b"y") for _ in range(5)]
    positions = await asyncio.gather(*appends)
    assert len(set(positions[:20])) == 1
    assert await nodes.one.last("room") == 6
    assert (await payloads(nodes.one, "room")).count(b"x") == 1


async def test_concurrent_appenders_leave_no_gap_lose_nothing_and_keep_their_own_order(nodes: TwoNodes) -> None:
    async def appender(name: int, streams: DurableStreams) -> None:
        for number in range(20):
            await streams.append("room", b"%d:%d" % (name, number))

    await asyncio.gather(*(appender(name, (nodes.one, nodes.other)[name % 2]) for name in range(10)))
    records = await nodes.one.read("room", limit=1000)
    assert [record.position for record in records] == list(range(1, 201))
    for name in range(10):
        own = [record.payload for record in records if record.payload.startswith(b"%d:" % name)]
        assert own == [b"%d:%d" % (name, number) for number in range(20)]


async def test_a_reader_never_sees_a_record_before_the_ones_in_front_of_it(nodes: TwoNodes) -> None:
    async def appender(streams: DurableStreams) -> None:
        for _ in range(40):
            await streams.append("room", b"x")

    async def follow() -> list[int]:
        seen: list[int] = []
        while len(seen) < 160:
            seen += [record.position for record in await nodes.other.read("room", after=seen[-1] if seen else 0)]
        return seen

    async with asyncio.TaskGroup() as group:
        following = group.create_task(follow())
        for node in (nodes.one, nodes.other, nodes.one, nodes.other):
            group.create_task(appender(node))
    assert following.result() == list(range(1, 161))


async def test_waiting_ends_at_once_when_there_is_something_to_read(streams: DurableStreams) -> None:
    await streams.append("room", b"x")
    started = time.monotonic()
    assert await streams.wait("room", after=0, timeout=5)
    assert time.monotonic() - started < 0.5


async def test_waiting_gives_up_when_nothing_comes(streams: DurableStreams) -> None:
    await streams.append("room", b"x")
    await streams.append("elsewhere", b"x")
    started = time.monotonic()
    assert not await streams.wait("room", after=1, timeout=0.3)
    assert 0.29 <= time.monotonic() - started < 1  # timers count in whole milliseconds


async def test_a_waiting_reader_hears_soon_of_what_another_node_appends(nodes: TwoNodes) -> None:
    await nodes.one.append("room", b"old")
    waiting = asyncio.create_task(nodes.other.wait("room", after=1, timeout=10))
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert not done
    started = time.monotonic()
    await nodes.one.append("room", b"new")
    assert await waiting
    assert time.monotonic() - started < 1


async def test_many_waiting_readers_are_all_woken(nodes: TwoNodes) -> None:
    waits = [node.wait("room", after=0, timeout=10) for _ in range(20) for node in (nodes.one, nodes.other)]
    waiting = asyncio.gather(*waits)
    await asyncio.wait({waiting}, timeout=0.1)
    await nodes.one.append("room", b"x")
    assert await waiting == [True] * 40


async def test_trimming_forgets_records_and_positions_go_on(nodes: TwoNodes) -> None:
    for number in range(1, 6):
        await nodes.one.append("room", b"%d" % number)
    assert await nodes.other.trim("room", through=3) == 3
    assert await payloads(nodes.one, "room") == [b"4", b"5"]
    assert await nodes.one.trim("room", through=3) == 0
    assert await nodes.one.trim("room", through=100) == 2
    assert await nodes.one.last("room") == 5
    assert await nodes.one.read("room") == []
    assert await nodes.one.append("room", b"6") == 6


async def test_a_key_is_forgotten_with_its_record(streams: DurableStreams) -> None:
    await streams.append("room", b"1", key="k")
    await streams.append("room", b"2", key="kept")
    await streams.trim("room", through=1)
    assert await streams.append("room", b"again", key="k") == 3
    assert await streams.append("room", b"no", key="kept") == 2


async def test_any_bytes_and_any_text_survive(streams: DurableStreams) -> None:
    name, key = "Räume/мир/🎉", "ключ 🗝"
    everything = bytes(range(256))
    for number, payload in enumerate((b"", everything, everything * 4096), start=1):
        assert await streams.append(name, payload) == number
    assert await streams.append(name, b"keyed", key=key) == 4
    assert await streams.append(name, b"keyed", key=key) == 4
    assert await payloads(streams, name) == [b"", everything, everything * 4096, b"keyed"]


async def test_the_longest_name_can_be_waited_for(streams: DurableStreams) -> None:
    waiting = asyncio.create_task(streams.wait("ä" * 256, after=0, timeout=10))
    await asyncio.wait({waiting}, timeout=0.1)
    await streams.append("ä" * 256, b"x")
    assert await waiting


@pytest.mark.parametrize("name", ["", "x" * 513, "ä" * 257])
async def test_a_name_without_or_beyond_bounds_is_refused(streams: DurableStreams, name: str) -> None:
    with pytest.raises(ValueError, match="512 bytes"):
        await streams.append(name, b"x")


async def test_cancelled_appends_leave_no_gap_and_a_retry_settles_them(nodes: TwoNodes) -> None:
    chance = random.Random(7)  # noqa: S311 - moments to cancel at
    for round_number in range(20):
        appends = [
            asyncio.create_task(node.append("room", b"x", key=f"{round_number}:{number}"))
            for number, node in enumerate((nodes.one, nodes.other, nodes.one))
        ]
        await asyncio.sleep(chance.random() * 0.004)
        for task in appends[:2]:
            task.cancel()
        await asyncio.gather(*appends, return_exceptions=True)
    keys = [f"{round_number}:{number}" for round_number in range(20) for number in range(3)]
    settled = await asyncio.gather(*(nodes.other.append("room", b"x", key=key) for key in keys))
    assert sorted(settled) == list(range(1, 61))
    assert await nodes.one.last("room") == 60


async def test_any_mix_of_operations_behaves_like_a_list(nodes: TwoNodes) -> None:
    chance = random.Random(11)  # noqa: S311 - a sequence of operations
    last = 0
    kept: dict[int, tuple[bytes, str | None]] = {}
    for number in range(150):
        node = chance.choice((nodes.one, nodes.other))
        if chance.random() < 0.75:
            payload, key = b"%d" % number, chance.choice((None, "a", "b", "c"))
            known = next((position for position, (_, used) in kept.items() if key is not None and used == key), None)
            if known is None:
                last += 1
                kept[last] = (payload, key)
            assert await node.append("room", payload, key=key) == (known or last)
        else:
            through = chance.randint(0, last + 2)
            doomed = [position for position in kept if position <= through]
            assert await node.trim("room", through=through) == len(doomed)
            for position in doomed:
                del kept[position]
        records = await node.read("room", limit=1000)
        assert [(record.position, record.payload) for record in records] == [
            (position, payload) for position, (payload, _) in kept.items()
        ]
        assert await node.last("room") == last
