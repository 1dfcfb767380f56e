"""What kernel.messagelog promises, held against every log: embedded, relational and on Cassandra."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from kernel.clock import SystemClock
from kernel.errors import Conflict, Malformed, NotFound, SecureConnectError, TooLarge
from kernel.ids import MAX_PEER_SKEW_MS, IdGenerator
from kernel.messagelog import MAX_BODY, MAX_KEY, MAX_READ, LogEntry
from tests.contract.messagelogs import BACKENDS, DAY_MS, Log, entry, id_ago, id_at, open_log

ids = IdGenerator(SystemClock())


@pytest.fixture(scope="module")
def databases() -> dict[str, str]:
    return {}


@pytest.fixture(params=BACKENDS)
async def log(request: pytest.FixtureRequest, tmp_path: Path, databases: dict[str, str]) -> AsyncIterator[Log]:
    async with open_log(request.param, request, tmp_path, databases) as log:
        yield log


@pytest.fixture
def conversation() -> uuid.UUID:
    return uuid.uuid4()


async def history(log: Log, conversation: uuid.UUID, *, days_ago: tuple[float, ...]) -> list[LogEntry]:
    """Appended in no order, answered oldest first."""
    entries = [entry(conversation, days_ago=days) for days in days_ago]
    for each in sorted(entries, key=lambda each: each.id.int % 7):
        assert await log.append(each) == each
    return sorted(entries, key=lambda each: each.id)


async def test_an_appended_entry_is_there_as_it_was_given(log: Log, conversation: uuid.UUID) -> None:
    given = LogEntry(conversation, ids.next(), "anna:1", b"\x00\xff body")
    assert await log.append(given) == given
    assert await log.get(conversation, given.id) == given
    assert list(await log.before(conversation, None, limit=10)) == [given]
    assert list(await log.after(conversation, None, limit=10)) == [given]


async def test_what_was_never_appended_is_not_there(log: Log, conversation: uuid.UUID) -> None:
    await log.append(entry(uuid.uuid4()))
    assert await log.get(conversation, ids.next()) is None
    assert list(await log.before(conversation, None, limit=10)) == []
    assert list(await log.after(conversation, None, limit=10)) == []


async def test_histories_are_ordered_by_id_whatever_order_they_came_in(log: Log, conversation: uuid.UUID) -> None:
    oldest_first = await history(log, conversation, days_ago=(0, 3, 1, 400, 25, 0.5, 11, 2))
    assert list(await log.after(conversation, None, limit=100)) == oldest_first
    assert list(await log.before(conversation, None, limit=100)) == oldest_first[::-1]


async def test_bounds_are_exclusive_and_limits_take_the_nearest(log: Log, conversation: uuid.UUID) -> None:
    a, b, c, d, e = await history(log, conversation, days_ago=(50, 40, 30, 20, 10))
    assert list(await log.before(conversation, d.id, limit=2)) == [c, b]
    assert list(await log.after(conversation, b.id, limit=2)) == [c, d]
    assert list(await log.before(conversation, a.id, limit=2)) == []
    assert list(await log.after(conversation, e.id, limit=2)) == []
    assert list(await log.before(conversation, id_ago(25), limit=1)) == [c]
    assert list(await log.after(conversation, id_ago(25), limit=1)) == [d]


@pytest.mark.parametrize("bound", [uuid.UUID(int=0), uuid.UUID(int=(1 << 128) - 1), uuid.uuid4(), uuid.uuid1()])
async def test_a_bound_may_be_any_uuid_and_is_compared_byte_by_byte(
    log: Log, conversation: uuid.UUID, bound: uuid.UUID
) -> None:
    entries = await history(log, conversation, days_ago=(20_000, 50, 1))
    below = [each for each in entries if each.id.bytes < bound.bytes]
    above = [each for each in entries if each.id.bytes > bound.bytes]
    assert list(await log.before(conversation, bound, limit=10)) == below[::-1]
    assert list(await log.after(conversation, bound, limit=10)) == above


async def test_many_entries_of_one_moment_are_paged_without_loss(log: Log, conversation: uuid.UUID) -> None:
    moment = int(time.time() * 1000) - DAY_MS
    entries = sorted((LogEntry(conversation, id_at(moment), str(n), b"") for n in range(40)), key=lambda each: each.id)
    await asyncio.gather(*(log.append(each) for each in entries))
    paged: list[LogEntry] = []
    while page := await log.after(conversation, paged[-1].id if paged else None, limit=7):
        paged += page
    assert paged == entries


async def test_pages_backwards_are_stable_while_others_append(log: Log, conversation: uuid.UUID) -> None:
    before_reading = await history(log, conversation, days_ago=tuple(n / 4 for n in range(1, 41)))
    reading = asyncio.Event()

    async def write() -> None:
        while not reading.is_set():
            await log.append(entry(conversation))

    writers = [asyncio.create_task(write()) for _ in range(3)]
    seen: list[LogEntry] = []
    bound: uuid.UUID | None = before_reading[-1].id
    while page := await log.before(conversation, bound, limit=6):
        seen += page
        bound = page[-1].id
    reading.set()
    await asyncio.gather(*writers)
    assert seen == before_reading[-2::-1]


async def test_following_forwards_meets_every_entry_once(log: Log, conversation: uuid.UUID) -> None:
    written: list[LogEntry] = []

    async def write() -> None:
        for n in range(60):
            stored = await log.append(LogEntry(conversation, ids.next(), str(n), b""))
            written.append(stored)

    writing = asyncio.create_task(write())
    seen: list[LogEntry] = []
    while not writing.done() or len(seen) < len(written):
        seen += await log.after(conversation, seen[-1].id if seen else None, limit=5)
    await writing
    assert seen == written


async def test_gaps_of_years_are_read_across_within_a_second(log: Log, conversation: uuid.UUID) -> None:
    entries = await history(log, conversation, days_ago=(20 * 365, 20 * 365 - 1, 8 * 365, 100, 0))
    started = time.monotonic()
    assert list(await log.before(conversation, None, limit=10)) == entries[::-1]
    assert list(await log.after(conversation, id_ago(19 * 365), limit=10)) == entries[2:]
    assert list(await log.before(conversation, id_ago(9 * 365), limit=10)) == entries[1::-1]
    assert list(await log.before(conversation, id_ago(30 * 365), limit=10)) == []
    assert time.monotonic() - started < 1


async def test_a_message_every_other_week_for_years_is_one_bounded_read(log: Log, conversation: uuid.UUID) -> None:
    entries = await history(log, conversation, days_ago=tuple(14.0 * n for n in range(150)))
    started = time.monotonic()
    assert list(await log.before(conversation, None, limit=MAX_READ)) == entries[::-1]
    assert list(await log.after(conversation, entries[9].id, limit=100)) == entries[10:110]
    assert time.monotonic() - started < 2


async def test_a_retried_append_answers_the_first_entry(log: Log, conversation: uuid.UUID) -> None:
    first = entry(conversation, key="anna:1", body=b"first", days_ago=12)
    await log.append(first)
    retried = entry(conversation, key="anna:1", body=b"second")
    assert await log.append(retried) == first
    assert await log.append(first) == first
    assert list(await log.after(conversation, None, limit=10)) == [first]
    assert await log.get(conversation, retried.id) is None


async def test_a_retried_append_answers_the_entry_as_it_reads_now(log: Log, conversation: uuid.UUID) -> None:
    first = entry(conversation, key="anna:1", body=b"first")
    await log.append(first)
    amended = await log.amend(conversation, first.id, expected_version=1, body=b"amended")
    assert await log.append(first) == amended
    assert await log.append(replace(first, id=ids.next())) == amended


async def test_of_concurrent_duplicates_one_is_stored_and_all_are_answered_it(
    log: Log, conversation: uuid.UUID
) -> None:
    tries = [entry(conversation, key="anna:1", body=b"%d" % n, days_ago=n * 5) for n in range(8)]
    answers = await asyncio.gather(*(log.append(each) for each in tries))
    assert len({answer.id for answer in answers}) == 1
    assert answers[0] in tries
    assert all(answer == answers[0] for answer in answers)
    assert list(await log.after(conversation, None, limit=10)) == [answers[0]]


async def test_a_key_belongs_to_its_conversation(log: Log, conversation: uuid.UUID) -> None:
    here, there = entry(conversation, key="anna:1"), entry(uuid.uuid4(), key="anna:1")
    assert await log.append(here) == here
    assert await log.append(there) == there


async def test_a_second_entry_under_a_taken_id_never_replaces_the_first(log: Log, conversation: uuid.UUID) -> None:
    first = entry(conversation, body=b"first")
    await log.append(first)
    second = replace(first, key="another", body=b"second")
    (outcome,) = await asyncio.gather(log.append(second), return_exceptions=True)
    assert outcome == second or (isinstance(outcome, Conflict) and outcome.code == "id_taken")
    assert first in await log.after(conversation, None, limit=10)


async def test_a_refused_entry_does_not_hold_up_those_that_come_with_it(log: Log, conversation: uuid.UUID) -> None:
    taken = entry(conversation)
    await log.append(taken)
    good = [entry(conversation) for _ in range(10)]
    mixed = [*good[:5], replace(taken, key="another"), *good[5:]]
    await asyncio.gather(*(log.append(each) for each in mixed), return_exceptions=True)
    stored = await log.after(conversation, None, limit=100)
    assert {each.id for each in good} <= {each.id for each in stored}


async def test_an_amendment_replaces_the_body_and_counts_the_version(log: Log, conversation: uuid.UUID) -> None:
    first = entry(conversation, days_ago=30)
    await log.append(first)
    for version, body in enumerate((b"second", b"", b"fourth"), start=2):
        amended = await log.amend(conversation, first.id, expected_version=version - 1, body=body)
        assert amended == replace(first, body=body, version=version)
        assert await log.get(conversation, first.id) == amended
        assert list(await log.before(conversation, None, limit=1)) == [amended]


async def test_an_amendment_that_expects_another_version_is_refused(log: Log, conversation: uuid.UUID) -> None:
    first = entry(conversation)
    await log.append(first)
    for wrong in (0, 2, 7):
        with pytest.raises(Conflict) as refusal:
            await log.amend(conversation, first.id, expected_version=wrong, body=b"x")
        assert refusal.value.code == "version_conflict"
    amended = await log.amend(conversation, first.id, expected_version=1, body=b"x")
    with pytest.raises(Conflict):
        await log.amend(conversation, first.id, expected_version=1, body=b"x")
    assert await log.get(conversation, first.id) == amended


async def test_amending_what_is_not_there_is_not_found(log: Log, conversation: uuid.UUID) -> None:
    with pytest.raises(NotFound):
        await log.amend(conversation, ids.next(), expected_version=1, body=b"x")


async def test_of_conflicting_amenders_exactly_one_wins_each_version(log: Log, conversation: uuid.UUID) -> None:
    first = entry(conversation)
    await log.append(first)
    for version in (1, 2, 3):
        bodies = [b"%d by %d" % (version, number) for number in range(8)]
        outcomes = await asyncio.gather(
            *(log.amend(conversation, first.id, expected_version=version, body=body) for body in bodies),
            return_exceptions=True,
        )
        winners = [outcome for outcome in outcomes if isinstance(outcome, LogEntry)]
        losers = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
        assert (len(winners), len(losers)) == (1, 7)
        assert await log.get(conversation, first.id) == winners[0]
        assert winners[0].version == version + 1


async def test_large_bodies_come_back_whole(log: Log, conversation: uuid.UUID) -> None:
    large = bytes(range(256)) * (MAX_BODY // 256)
    first = entry(conversation, body=large)
    await log.append(first)
    amended = await log.amend(conversation, first.id, expected_version=1, body=large[::-1])
    second = entry(conversation, body=large)
    await log.append(second)
    assert list(await log.before(conversation, None, limit=2)) == sorted(
        (amended, second), key=lambda each: each.id, reverse=True
    )


async def test_an_empty_body_is_a_body(log: Log, conversation: uuid.UUID) -> None:
    empty = entry(conversation, body=b"")
    await log.append(empty)
    assert await log.get(conversation, empty.id) == empty


async def test_a_body_beyond_the_limit_is_refused(log: Log, conversation: uuid.UUID) -> None:
    with pytest.raises(TooLarge):
        await log.append(entry(conversation, body=bytes(MAX_BODY + 1)))
    first = entry(conversation)
    await log.append(first)
    with pytest.raises(TooLarge):
        await log.amend(conversation, first.id, expected_version=1, body=bytes(MAX_BODY + 1))


@pytest.mark.parametrize(
    "key", ["ключ", "鍵🔑", "e\u0301", "\u00e9", "a:b'c\"d;--", "\u202e", "x" * MAX_KEY, "\U0001d518" * MAX_KEY]
)
async def test_keys_are_told_apart_code_point_by_code_point(log: Log, conversation: uuid.UUID, key: str) -> None:
    others = [
        entry(conversation, key=other)
        for other in ("\u00e9", "é".upper(), "E\u0301", "e", key + " ", " " + key)
        if other != key and len(other) <= MAX_KEY
    ]
    mine = entry(conversation, key=key)
    for each in (mine, *others):
        assert await log.append(each) == each
    assert await log.append(entry(conversation, key=key)) == mine


@pytest.mark.parametrize("key", ["", "a\0b", "\ud800", "x" * (MAX_KEY + 1)])
async def test_an_unusable_key_is_refused(log: Log, conversation: uuid.UUID, key: str) -> None:
    with pytest.raises(Malformed) as refusal:
        await log.append(LogEntry(conversation, ids.next(), key, b""))
    assert refusal.value.code == "bad_key"


@pytest.mark.parametrize(
    "identifier",
    [
        uuid.UUID(int=0),
        uuid.uuid4(),
        uuid.uuid1(),
        id_at(int(time.time() * 1000) + 3_600_000 + MAX_PEER_SKEW_MS),
    ],
)
async def test_an_implausible_id_is_refused(log: Log, conversation: uuid.UUID, identifier: uuid.UUID) -> None:
    with pytest.raises(Malformed) as refusal:
        await log.append(LogEntry(conversation, identifier, "k", b""))
    assert refusal.value.code == "implausible_id"
    assert list(await log.after(conversation, None, limit=10)) == []


@pytest.mark.parametrize("limit", [0, -1, MAX_READ + 1])
async def test_a_limit_outside_its_bounds_is_refused(log: Log, conversation: uuid.UUID, limit: int) -> None:
    with pytest.raises(Malformed):
        await log.before(conversation, None, limit=limit)
    with pytest.raises(Malformed):
        await log.after(conversation, None, limit=limit)


async def test_a_cancelled_append_is_whole_or_absent_and_harms_no_other(log: Log, conversation: uuid.UUID) -> None:
    others = [entry(conversation, body=b"kept") for _ in range(30)]
    cancelled = [entry(conversation, body=b"cancelled") for _ in range(30)]

    async def cancel_after(turns: int, doomed: LogEntry) -> None:
        task = asyncio.create_task(log.append(doomed))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    await asyncio.gather(
        *(log.append(each) for each in others), *(cancel_after(turns, each) for turns, each in enumerate(cancelled))
    )
    stored = await log.after(conversation, None, limit=100)
    assert {each.id for each in others} <= {each.id for each in stored}
    assert all(each in [*others, *cancelled] for each in stored)
    # Whatever became of them, asking again with the same key converges on one entry.
    again = [await log.append(replace(each, id=ids.next())) for each in cancelled]
    assert len({each.key for each in await log.after(conversation, None, limit=100)}) == 60
    assert list(await log.after(conversation, None, limit=100)) == sorted([*others, *again], key=lambda each: each.id)


async def test_forgetting_erases_what_is_older_and_nothing_else(log: Log, conversation: uuid.UUID) -> None:
    entries = await history(log, conversation, days_ago=(900, 400, 31, 30, 29.9, 29, 12, 1))
    elsewhere = await history(log, other := uuid.uuid4(), days_ago=(400, 1))
    assert await log.forget(conversation, older_than=entries[4].id) == 4
    assert list(await log.after(conversation, None, limit=10)) == entries[4:]
    assert list(await log.before(conversation, None, limit=10)) == entries[:3:-1]
    assert [await log.get(conversation, each.id) for each in entries[:4]] == [None] * 4
    assert list(await log.after(other, None, limit=10)) == elsewhere
    assert await log.forget(conversation, older_than=entries[4].id) == 0


async def test_amended_entries_are_forgotten_too(log: Log, conversation: uuid.UUID) -> None:
    old, kept = await history(log, conversation, days_ago=(40, 1))
    await log.amend(conversation, old.id, expected_version=1, body=b"amended")
    amended = await log.amend(conversation, kept.id, expected_version=1, body=b"amended")
    assert await log.forget(conversation, older_than=kept.id) == 1
    assert list(await log.after(conversation, None, limit=10)) == [amended]
    with pytest.raises(NotFound):
        await log.amend(conversation, old.id, expected_version=2, body=b"again")


async def test_a_forgotten_key_can_be_used_again(log: Log, conversation: uuid.UUID) -> None:
    old = entry(conversation, key="anna:1", days_ago=40)
    await log.append(old)
    assert await log.forget(conversation, older_than=id_ago(1)) == 1
    again = entry(conversation, key="anna:1", body=b"again")
    assert await log.append(again) == again
    assert list(await log.after(conversation, None, limit=10)) == [again]


async def test_history_can_be_written_again_where_it_was_forgotten(log: Log, conversation: uuid.UUID) -> None:
    await history(log, conversation, days_ago=(41, 40, 3))
    await log.forget(conversation, older_than=ids.next())
    again = await history(log, conversation, days_ago=(41, 40, 3))
    assert list(await log.after(conversation, None, limit=10)) == again


async def test_forgetting_nothing_is_fine(log: Log, conversation: uuid.UUID) -> None:
    assert await log.forget(conversation, older_than=ids.next()) == 0


async def test_forgetting_many_while_others_append_loses_none_of_theirs(log: Log, conversation: uuid.UUID) -> None:
    old = [entry(conversation, days_ago=20 + n / 1000) for n in range(1200)]
    for start in range(0, len(old), 200):
        await asyncio.gather(*(log.append(each) for each in old[start : start + 200]))
    fresh: list[LogEntry] = []
    forgetting = asyncio.create_task(log.forget(conversation, older_than=id_ago(1)))
    while not forgetting.done():
        fresh.append(await log.append(LogEntry(conversation, ids.next(), uuid.uuid4().hex, b"new")))
    assert await forgetting == 1200
    assert list(await log.after(conversation, None, limit=MAX_READ)) == fresh[:MAX_READ]


async def test_a_thousand_entries_are_one_read(log: Log, conversation: uuid.UUID) -> None:
    entries = [LogEntry(conversation, ids.next(), str(n), b"%d" % n) for n in range(1005)]
    for start in range(0, len(entries), 201):
        await asyncio.gather(*(log.append(each) for each in entries[start : start + 201]))
    assert list(await log.after(conversation, None, limit=MAX_READ)) == entries[:MAX_READ]
    assert list(await log.before(conversation, None, limit=MAX_READ)) == entries[: -MAX_READ - 1 : -1]


async def test_a_caller_is_told_what_it_did_wrong_without_the_stores_words(log: Log, conversation: uuid.UUID) -> None:
    with pytest.raises(SecureConnectError) as refusal:
        await log.amend(conversation, ids.next(), expected_version=1, body=b"")
    assert "sql" not in refusal.value.detail.lower()
