"""Each one-time key goes to one asker, however many come at once; and how often the store is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, update

from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.identity.prekeys import SqlOneTimeKeys
from config.sections import Database as Settings
from identity import keydirectory
from identity.accounts import State
from identity.announcements import channel_of
from identity.keychanges import ChangeKind
from identity.keydirectory import StockedDevice
from kernel.bus import BusEvent
from kernel.errors import DependencyUnavailable, NotFound, Unprocessable
from tests.adapters.sql.relational import BACKENDS, settings_for, url_for
from tests.identity.devices import Device, Directory, directory

ASKERS = 200


@pytest.fixture(scope="module", params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    """One for all tests: each has people of its own."""
    settings = settings_for(url_for(request.param, request), timeout=30.0, pool_size=15)
    return settings, tmp_path_factory.mktemp("keys")


@pytest.fixture
async def here(store: tuple[Settings, Path]) -> AsyncIterator[Directory]:
    async with directory(*store) as here:
        yield here


def askers_for(here: Directory) -> int:
    # PostgreSQL's server, driven as if it were CockroachDB, is asked for serializable transactions here. It fails
    # what CockroachDB would let wait, so that few are enough to see that nothing is handed out twice.
    return 8 if here.database.backend == "cockroachdb" else ASKERS


async def stocked(here: Directory, devices: Sequence[Device], keys: int) -> UUID:
    target = await here.person()
    for device in devices:
        for first in range(0, keys, 100):
            await here.keys.upload(target, device.upload(range(first, min(keys, first + 100))))
    return target


async def fetched(here: Directory, target: UUID, times: int) -> list[tuple[str, int | None]]:
    """By as many different askers at once: which key of which device each of them was given."""
    bundles = await asyncio.gather(*(here.keys.bundle(uuid4(), target) for _ in range(times)))
    return [(each.device.device_id, _key_id(each)) for bundle in bundles for each in bundle]


def _key_id(found: StockedDevice) -> int | None:
    return None if found.one_time_key is None else found.one_time_key.key_id


async def test_of_two_hundred_at_once_each_gets_a_key_of_their_own(here: Directory) -> None:
    askers = askers_for(here)
    devices = [Device("laptop"), Device("phone")]
    target = await stocked(here, devices, askers)
    bundles = await asyncio.gather(*(here.keys.bundle(uuid4(), target) for _ in range(askers)))
    handed = [(each.device.device_id, each.one_time_key) for bundle in bundles for each in bundle]
    assert len(handed) == 2 * askers
    assert set(handed) == {(device.id, key) for device in devices for key in device.one_time(range(askers))}
    assert [found.remaining for found in await here.keys.stock(target)] == [0, 0]


async def test_stock_that_comes_while_many_wait_is_neither_lost_nor_handed_out_twice(here: Directory) -> None:
    """A statement that has waited for a row sees what the row has become, but no key that came since it began."""
    askers, phone = askers_for(here), Device()
    target, times = await stocked(here, [phone], 2), askers // 4

    async def fill() -> None:
        for first in range(2, 2 + askers, 10):
            await here.keys.upload(target, phone.upload(range(first, min(first + 10, 2 + askers))))

    handed, _ = await asyncio.gather(fetched(here, target, times), fill())
    handed += await fetched(here, target, askers + 2 - times)
    [left] = await here.keys.stock(target)
    given = [key_id for _, key_id in handed if key_id is not None]
    given += [key_id for _, key_id in await fetched(here, target, left.remaining) if key_id is not None]
    assert sorted(given) == list(range(askers + 2))


async def test_rotating_and_filling_get_through_a_crowd_of_askers(here: Directory) -> None:
    askers, devices = askers_for(here), [Device("laptop"), Device("phone"), Device("tablet")]
    target = await stocked(here, devices, 20)

    async def busy() -> None:
        for number in range(2, 5):
            for device in devices:
                await here.keys.rotate(target, device.id, device.signed(number))
                await here.keys.upload(target, device.upload([100 + number], signed=number))

    handed, _ = await asyncio.gather(fetched(here, target, askers), busy())
    for device in devices:
        given = [key_id for name, key_id in handed if name == device.id and key_id is not None]
        assert len(given) == len(set(given))
    assert {found.device.signed_key.key_id for found in await here.keys.stock(target)} == {4}


async def test_when_there_are_fewer_keys_than_askers_the_rest_is_answered_without(here: Directory) -> None:
    askers = askers_for(here)
    target = await stocked(here, [Device()], askers // 2)
    handed = [key_id for _, key_id in await fetched(here, target, askers)]
    assert sorted(key_id for key_id in handed if key_id is not None) == list(range(askers // 2))
    assert handed.count(None) == askers - askers // 2


async def test_uploading_the_same_again_meanwhile_brings_nothing_back(here: Directory) -> None:
    askers, phone = askers_for(here), Device()
    keys = min(100, askers)
    target = await stocked(here, [phone], keys)

    async def upload_again() -> None:
        for _ in range(5):
            await here.keys.upload(target, phone.upload(range(keys)))

    handed, _ = await asyncio.gather(fetched(here, target, askers), upload_again())
    assert sorted(key_id for _, key_id in handed if key_id is not None) == list(range(keys))


async def test_the_owner_hears_once_of_a_stock_that_runs_out_under_a_crowd(here: Directory) -> None:
    askers = askers_for(here)
    target = await stocked(here, [Device()], askers)
    async with here.bus.subscribe([channel_of(target)]) as events:
        await fetched(here, target, askers)
        end = BusEvent(channel_of(target), b"end")
        await here.bus.publish(end.channel, end.payload)
        heard = [await anext(aiter(events))]
        while heard[-1] != end:
            heard.append(await anext(aiter(events)))
    low = b'{"type":"keys_low","data":{"device_id":"phone","remaining":9}}'
    assert heard == [*([BusEvent(end.channel, low)] if askers > 10 else []), end]


async def test_the_same_upload_many_times_at_once_is_one_upload(here: Directory) -> None:
    target, phone = await here.person(), Device()
    crowd = 8 if here.database.backend == "cockroachdb" else 20
    first = await asyncio.gather(*(here.keys.upload(target, phone.upload(range(50))) for _ in range(crowd)))
    assert {found.remaining for found in first} == {50}
    await asyncio.gather(*(here.keys.upload(target, phone.upload(range(25, 75), signed=2)) for _ in range(crowd)))
    assert [(found.remaining, found.device.signed_key) for found in await here.keys.stock(target)] == [
        (75, phone.signed(2))
    ]
    changes = await here.keys.changes(uuid4(), target, cursor=None, limit=10)
    assert [change.kind for change in changes.items] == [ChangeKind.ADDED]


async def test_devices_that_come_at_once_do_not_slip_past_the_bound(
    here: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keydirectory, "MAX_DEVICES", 3)
    target = await here.person()
    uploads = (here.keys.upload(target, Device(f"device-{number}").upload([1])) for number in range(8))
    outcomes = await asyncio.gather(*uploads, return_exceptions=True)
    assert [error.code for error in outcomes if isinstance(error, Unprocessable)] == ["too_many_devices"] * 5
    assert len(await here.keys.stock(target)) == 3


async def test_of_many_rotations_at_once_each_key_is_current_or_retired(here: Directory) -> None:
    target, phone = await here.person(), Device()
    await here.keys.upload(target, phone.upload(signed=0))
    await asyncio.gather(*(here.keys.rotate(target, "phone", phone.signed(number)) for number in range(1, 9)))
    [found] = await here.keys.stock(target)
    _, retired = await here.keys.rotate(target, "phone", found.device.signed_key)
    assert {found.device.signed_key.key_id, *(key.key_id for key in retired)} == set(range(9))
    assert len(retired) == 8


async def test_a_device_that_is_taken_out_meanwhile_hands_out_nothing_afterwards(here: Directory) -> None:
    askers, phone = askers_for(here), Device()
    target = await stocked(here, [phone], askers)
    handed, _ = await asyncio.gather(fetched(here, target, askers), here.keys.remove(target, "phone"))
    given = [key_id for _, key_id in handed if key_id is not None]
    assert len(given) == len(set(given))
    assert await here.keys.bundle(uuid4(), target) == []


@contextmanager
def statements(here: Directory) -> Iterator[list[str]]:
    seen: list[str] = []

    def record(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if not statement.startswith(("BEGIN", "COMMIT")):
            seen.append(statement)

    engines = {id(lane): lane.engine.sync_engine for lane in (here.database.writes, here.database.reads)}.values()
    for engine in engines:
        event.listen(engine, "before_cursor_execute", record)
    try:
        yield seen
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", record)


async def test_a_bundle_is_one_query_for_one_device_and_for_twenty(here: Directory) -> None:
    one = await stocked(here, [Device()], 3)
    twenty = await stocked(here, [Device(f"device-{number}") for number in range(20)], 3)
    for target in (one, twenty):
        with statements(here) as seen:
            bundle = await here.keys.bundle(uuid4(), target)
        assert all(found.one_time_key is not None for found in bundle)
        assert len(seen) == 1
        with statements(here) as seen:
            await here.keys.bundle(uuid4(), target, peek=True)
            await here.keys.stock(target)
        assert len(seen) == 2


async def test_a_hundred_keys_cost_as_many_queries_as_one(here: Directory) -> None:
    target, phone = await here.person(), Device()
    costs = []
    for ids in ([1], range(2, 102)):
        await here.keys.upload(target, phone.upload())
        with statements(here) as seen:
            await here.keys.upload(target, phone.upload(ids))
        costs.append(len(seen))
    assert costs[0] == costs[1]


async def test_somebody_who_is_being_erased_has_no_keys_and_gets_none(here: Directory) -> None:
    phone = Device()
    target = await stocked(here, [phone], 1)
    erasing = update(ACCOUNTS).where(ACCOUNTS.c.id == target).values(state=State.ERASING.value)
    await here.database.units.write(lambda unit: unit.connection.execute(erasing))
    for refused in (
        lambda: here.keys.bundle(uuid4(), target),
        lambda: here.keys.upload(target, Device("laptop").upload()),
        lambda: here.keys.upload(target, phone.upload([2])),
        lambda: here.keys.rotate(target, "phone", phone.signed(2)),
        lambda: here.keys.remove(target, "phone"),
    ):
        with pytest.raises(NotFound):
            await refused()


async def test_of_those_that_went_out_the_last_are_remembered(here: Directory) -> None:
    phone, store = Device(), SqlOneTimeKeys()
    target = await stocked(here, [phone], 5)
    await fetched(here, target, 4)

    async def add(*ids: int) -> int:
        keys = phone.one_time(ids)
        return await here.database.units.write(lambda unit: store.add(unit, target, "phone", keys, remember=2))

    assert await add(0) == 1, "known still: it is not forgotten before there is something new"
    assert await add(7) == 2
    assert await add(2, 3) == 2
    assert await add(0, 1) == 4
    assert [(await fetched(here, target, 1))[0][1] for _ in range(5)] == [4, 7, 0, 1, None]


class Away:
    """The store that counts who asks how often."""

    async def increment(self, key: str, by: int = 1, *, ttl: float) -> int:
        raise DependencyUnavailable("redis", "connection refused")


async def test_without_the_store_that_counts_askers_the_stock_is_spared_and_bundles_still_come(
    here: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = Device()
    target = await stocked(here, [phone], 1)
    monkeypatch.setattr(here.keys, "_counters", Away())
    [found] = await here.keys.bundle(uuid4(), target)
    assert (found.device.identity_key, found.one_time_key, found.remaining) == (phone.identity_key, None, 1)
