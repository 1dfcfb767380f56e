"""What crashes, clocks and erasures leave behind on Cassandra, and that the log copes with it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.cassandra.buckets import STALE_AFTER, Buckets
from config.sections import Messages
from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.messagelog import LogEntry
from tests.adapters.cassandra.raw import Tables, tables_of
from tests.clocks import MovableClock
from tests.contract.messagelogs import Log, cassandra_settings, entry, id_ago, on_cassandra
from tests.services.cassandra import CassandraService

ids = IdGenerator(SystemClock())
buckets = Buckets(Messages().bucket)

CLAIM = "INSERT INTO contract.message_keys (conversation, key, id, at, body) VALUES (%s, %s, %s, %s, %s)"
INDEX_OF = "SELECT bucket FROM contract.message_buckets WHERE conversation = %s"
WORDS_OF = "SELECT at, body FROM contract.message_keys WHERE conversation = %s AND key = %s"


@pytest.fixture
async def log(cassandra: CassandraService) -> AsyncIterator[Log]:
    async with on_cassandra(cassandra_settings(cassandra)) as log:
        yield log


@pytest.fixture
async def tables(cassandra: CassandraService) -> AsyncIterator[Tables]:
    async with tables_of(cassandra) as tables:
        yield tables


def microseconds_ago(seconds: float) -> int:
    return int((time.time() - seconds) * 1_000_000)


async def test_an_append_that_died_after_its_claim_is_finished_with_the_words_of_the_first(
    log: Log, tables: Tables
) -> None:
    begun = entry(uuid.uuid4(), key="anna:1", body=b"first", days_ago=30)
    await tables.run(CLAIM, begun.conversation, "anna:1", begun.id.bytes, microseconds_ago(60), begun.body)
    retried = [replace(begun, id=ids.next(), body=b"second") for _ in range(4)]
    assert await asyncio.gather(*map(log.append, retried)) == [begun] * 4
    assert list(await log.after(begun.conversation, None, limit=10)) == [begun]


async def test_when_the_words_have_expired_one_of_those_who_retry_gives_new_ones(log: Log, tables: Tables) -> None:
    conversation, identifier = uuid.uuid4(), id_ago(30)
    await tables.run(
        "INSERT INTO contract.message_keys (conversation, key, id) VALUES (%s, %s, %s)",
        conversation,
        "anna:1",
        identifier.bytes,
    )
    retried = [LogEntry(conversation, ids.next(), "anna:1", b"%d" % number) for number in range(6)]
    answers = await asyncio.gather(*map(log.append, retried))
    (stored,) = await log.after(conversation, None, limit=10)
    assert answers == [stored] * 6
    assert stored.id == identifier
    assert stored.body in {each.body for each in retried}


async def test_a_claim_whose_entry_was_erased_before_it_was_written_starts_anew(log: Log, tables: Tables) -> None:
    old = entry(uuid.uuid4(), key="anna:1", days_ago=30)
    await log.append(replace(old, key="another", id=id_ago(31)))
    await tables.run(CLAIM, old.conversation, "anna:1", old.id.bytes, microseconds_ago(60), old.body)
    await tables.run(
        "DELETE FROM contract.messages WHERE conversation = %s AND bucket = %s", old.conversation, buckets.of(old.id)
    )
    again = replace(old, id=ids.next(), body=b"again")
    assert await log.append(again) == again
    assert await log.get(again.conversation, again.id) == again


async def test_an_amendment_shows_even_when_the_appenders_clock_was_ahead(cassandra: CassandraService) -> None:
    """The amendment's timestamp comes from the server's clock, the entry's from ours."""
    clock = MovableClock()
    async with on_cassandra(cassandra_settings(cassandra), clock) as log:
        clock.ahead = 3600.0
        first = entry(uuid.uuid4(), body=b"first")
        await log.append(first)
        amended = await log.amend(first.conversation, first.id, expected_version=1, body=b"amended")
        assert await log.get(first.conversation, first.id) == amended
        assert await log.append(first) == amended


async def test_what_was_amended_away_is_not_kept(log: Log, tables: Tables) -> None:
    first = entry(uuid.uuid4(), body=b"the words I regret")
    await log.append(first)
    await log.amend(first.conversation, first.id, expected_version=1, body=b"")
    (row,) = await tables.run(
        "SELECT body, amended FROM contract.messages WHERE conversation = %s AND bucket = %s",
        first.conversation,
        buckets.of(first.id),
    )
    assert row.body is None
    assert row.amended == b""


async def test_what_an_erasure_left_of_an_amendment_is_no_entry_and_ends_no_page(log: Log, tables: Tables) -> None:
    conversation = uuid.uuid4()
    entries = sorted((entry(conversation, days_ago=5 + n / 1000) for n in range(9)), key=lambda each: each.id)
    for each in entries:
        await log.append(each)
    kept = entries[::3]
    for each in entries:
        if each not in kept:
            place = (conversation, buckets.of(each.id), each.id.bytes, each.key)
            where = "WHERE conversation = %s AND bucket = %s AND id = %s AND key = %s"
            await tables.run(f"DELETE FROM contract.messages {where}", *place)
            await tables.run(f"UPDATE contract.messages SET version = 2, amended = 0x00 {where}", *place)
    assert list(await log.after(conversation, None, limit=2)) == kept[:2]
    assert list(await log.before(conversation, None, limit=3)) == kept[::-1]
    assert await log.get(conversation, entries[1].id) is None
    assert await log.forget(conversation, older_than=ids.next()) == 3


async def test_words_are_kept_with_the_claim_for_a_day_only(log: Log, tables: Tables) -> None:
    first = entry(uuid.uuid4(), key="anna:1")
    await log.append(first)
    (row,) = await tables.run(
        "SELECT ttl(body) AS left FROM contract.message_keys WHERE conversation = %s AND key = %s",
        first.conversation,
        "anna:1",
    )
    assert 86_000 < row.left <= 86_400


async def test_forgotten_keys_leave_nothing(log: Log, tables: Tables) -> None:
    old = entry(uuid.uuid4(), key="anna:1", days_ago=30)
    await log.append(old)
    await log.forget(old.conversation, older_than=ids.next())
    assert await tables.run(WORDS_OF, old.conversation, "anna:1") == []


async def test_forgotten_buckets_leave_the_index_once_no_node_can_rely_on_them(
    cassandra: CassandraService, tables: Tables
) -> None:
    conversation, clock = uuid.uuid4(), MovableClock()
    async with on_cassandra(cassandra_settings(cassandra), clock) as log:
        for days in (300, 200, 100, 0):
            await log.append(entry(conversation, days_ago=days))
        assert await log.forget(conversation, older_than=id_ago(50)) == 3
        assert len(await tables.run(INDEX_OF, conversation)) == 4
        clock.ahead = STALE_AFTER + 60
        assert await log.forget(conversation, older_than=id_ago(50)) == 0
        assert len(await tables.run(INDEX_OF, conversation)) == 1
        again = entry(conversation, days_ago=200)
        await log.append(again)
        assert (await log.after(conversation, None, limit=1))[0] == again


async def test_forgetting_a_thousand_leaves_a_reader_next_to_nothing_to_step_over(log: Log, tables: Tables) -> None:
    conversation = uuid.uuid4()
    middle = buckets.of(id_ago(30)) * int(Messages().bucket)  # the beginning of a bucket, in seconds
    days_ago = (time.time() - middle) / 86_400 - 1
    entries = [entry(conversation, days_ago=days_ago - n / 100_000) for n in range(1000)]
    for start in range(0, len(entries), 125):
        await asyncio.gather(*map(log.append, entries[start : start + 125]))
    assert await log.forget(conversation, older_than=entries[990].id) == 990
    stepped_over = await tables.tombstones_read(
        "SELECT id FROM contract.messages WHERE conversation = %s AND bucket = %s",
        conversation,
        buckets.of(entries[0].id),
    )
    assert stepped_over <= 2
    assert list(await log.after(conversation, None, limit=20)) == entries[990:]
