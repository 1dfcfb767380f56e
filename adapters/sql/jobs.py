"""Durable jobs in the relational store: kernel.jobs' JobQueue and DeadLetters, and the door to all of it."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import and_, or_

from adapters.sql import jobs_tables as sql
from adapters.sql.engine import Database
from adapters.sql.jobs_bell import JobBell
from adapters.sql.jobs_grouping import EnqueueGroups
from adapters.sql.jobs_schedules import SqlSchedules
from adapters.sql.jobs_tables import JOBS, State
from adapters.sql.lane import SqlTransaction
from adapters.sql.units import SqlUnits, sql_of
from config.sections import Jobs as JobsSettings
from kernel.bus import EventBus
from kernel.clock import Clock
from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.errors import Unprocessable
from kernel.ids import IdGenerator
from kernel.jobs import (
    MAX_KEY_LENGTH,
    MAX_KIND_LENGTH,
    MAX_PAYLOAD_BYTES,
    DeadJob,
    Job,
    JobDone,
    JobFailed,
    JobOutcome,
    JobPostponed,
    NewJob,
)
from kernel.metrics import Metrics
from kernel.units import Transaction

# Rows per statement: far below every backend's limit on parameters.
CHUNK = 500
PURGE_ROWS = 500
PURGE_EVERY_SECONDS = 60.0
LARGEST_PAGE = 500

Item = TypeVar("Item")

VANISHED = "its worker vanished during the last attempt: the process was killed or its machine was lost"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SqlJobs:
    """What ``open_jobs`` yields."""

    queue: SqlJobQueue
    dead_letters: SqlDeadLetters
    schedules: SqlSchedules


@asynccontextmanager
async def open_jobs(
    database: Database,
    settings: JobsSettings,
    *,
    clock: Clock,
    metrics: Metrics,
    ids: IdGenerator,
    bus: EventBus | None = None,
) -> AsyncIterator[SqlJobs]:
    """With a ``bus``, other nodes hear at once of jobs added here; without, when they next look."""
    bell = JobBell(name=uuid.uuid4().bytes, clock=clock, bus=bus)
    queue = SqlJobQueue(database.units, bell, clock=clock, metrics=metrics, ids=ids)
    dead_letters = SqlDeadLetters(database.units, bell, clock=clock)
    schedules = SqlSchedules(database.units, queue, clock=clock)
    purge = asyncio.create_task(_purge_for_ever(queue, keep_done=settings.keep_done), name="jobs purge")
    try:
        async with bell.connected():
            yield SqlJobs(queue, dead_letters, schedules)
    finally:
        purge.cancel()
        await asyncio.gather(purge, return_exceptions=True)
        await queue.aclose()


class SqlJobQueue:
    """kernel.jobs.JobQueue. Finished jobs that had a key stay, without payload, to stand guard against its
    repetition until they are purged; those without are deleted at once."""

    def __init__(self, units: SqlUnits, bell: JobBell, *, clock: Clock, metrics: Metrics, ids: IdGenerator) -> None:
        self._units = units
        self._bell = bell
        self._clock = clock
        self._ids = ids
        self._groups = EnqueueGroups(self._enqueue_group, metrics=metrics)

    async def enqueue(self, jobs: Sequence[NewJob], *, within: Transaction | None = None) -> Sequence[UUID]:
        for job in jobs:
            _check(job)
        if not jobs:
            return []
        if within is not None:
            return await self.add(sql_of(within), jobs)
        return await self._groups.submit(jobs)

    async def claim(self, kinds: Sequence[str], *, limit: int, lease: float) -> Sequence[Job]:
        if not kinds or limit < 1:
            return []
        self._bell.muffle()

        async def work(transaction: SqlTransaction) -> tuple[list[Job], int]:
            return await self._claim(transaction, kinds, limit=limit, lease=lease)

        jobs, seen = await self._units.write(work, serializable=False)
        if seen == limit:
            self._bell.ring_again()
        return jobs

    async def renew(self, jobs: Sequence[Job], *, lease: float) -> frozenset[UUID]:
        async def work(transaction: SqlTransaction) -> frozenset[UUID]:
            held = await _held(transaction, jobs)
            until = self._clock.now() + lease
            prolonged = [_pair(job) | {"until": until} for job in jobs if _is_held(job, held)]
            await _run_for_each(transaction, sql.PROLONG, prolonged)
            return frozenset(row["job"] for row in prolonged)

        return await self._units.write(work, serializable=False) if jobs else frozenset()

    async def settle(self, outcomes: Sequence[JobOutcome]) -> frozenset[UUID]:
        async def work(transaction: SqlTransaction) -> frozenset[UUID]:
            held = await _held(transaction, [outcome.job for outcome in outcomes])
            kept = {outcome.job.id: outcome for outcome in outcomes if _is_held(outcome.job, held)}
            now = self._clock.now()
            records: dict[Any, list[dict[str, Any]]] = {}
            for outcome in kept.values():
                statement, values = _recording(outcome, keyed=held[outcome.job.id].keyed, now=now)
                records.setdefault(statement, []).append(_pair(outcome.job) | values)
                if "run_at" in values:
                    transaction.after_commit(_call(self._bell.ring, values["run_at"]))
            for statement, rows in records.items():
                await _run_for_each(transaction, statement, rows)
            return frozenset(kept)

        return await self._units.write(work, serializable=False) if outcomes else frozenset()

    async def wait(self, *, timeout: float) -> None:
        await self._bell.wait(timeout)

    async def add(self, transaction: SqlTransaction, jobs: Sequence[NewJob]) -> list[UUID]:
        """Enqueue within a transaction of this adapter."""
        now = self._clock.now()
        ids = [self._ids.next() for _ in jobs]
        rows = [_row(job, identifier, now) for job, identifier in zip(jobs, ids, strict=True)]
        # In one order by everybody: two transactions that add the same keys wait instead of deadlocking.
        await _run_for_each(transaction, sql.ADD, sorted(rows, key=_key_order))
        transaction.after_commit(_call(self._bell.ring, min(row["due_at"] for row in rows)))
        if any(job.key is not None for job in jobs):
            existing = await _existing(transaction, jobs)
            return [
                identifier if job.key is None else existing[job.kind, job.key]
                for job, identifier in zip(jobs, ids, strict=True)
            ]
        return ids

    async def purge(self, *, older_than: float) -> int:
        """Forget jobs that finished ``older_than`` seconds ago, one bounded batch; answers how many."""

        async def work(transaction: SqlTransaction) -> int:
            before = self._clock.now() - older_than
            result = await transaction.connection.execute(sql.PURGE, {"before": before, "most": PURGE_ROWS})
            return len(result.all())

        return await self._units.write(work, serializable=False)

    async def aclose(self) -> None:
        await self._groups.aclose()

    async def _enqueue_group(self, jobs: Sequence[NewJob]) -> list[UUID]:
        return await self._units.write(lambda transaction: self.add(transaction, jobs), serializable=False)

    async def _claim(
        self, transaction: SqlTransaction, kinds: Sequence[str], *, limit: int, lease: float
    ) -> tuple[list[Job], int]:
        """The jobs, and how many rows were looked at."""
        connection = transaction.connection
        now = self._clock.now()
        due = (await connection.execute(sql.FIND_DUE, {"now": now, "kinds": list(kinds), "most": limit})).all()
        spent = [row.id for row in due if row.attempts >= row.max_attempts]
        if spent:
            await connection.execute(sql.BURY, {"jobs": spent, "now": now, "reason": VANISHED})
        fresh = {row.id: row for row in due if row.attempts < row.max_attempts}
        if not fresh:
            return [], len(due)
        claim = uuid.uuid4()
        taking = {"jobs": list(fresh), "now": now, "new_claim": claim, "until": now + lease}
        attempts = {row.id: row.attempts for row in await connection.execute(sql.TAKE, taking)}
        jobs = [
            Job(row.id, row.kind, row.payload, attempts[row.id], row.max_attempts, claim, row.postponed)
            for row in fresh.values()
            if row.id in attempts
        ]
        return jobs, len(due)


class SqlDeadLetters:
    """kernel.jobs.DeadLetters, the latest deaths first."""

    def __init__(self, units: SqlUnits, bell: JobBell, *, clock: Clock) -> None:
        self._units = units
        self._bell = bell
        self._clock = clock

    async def list_dead(self, *, kind: str | None = None, cursor: str | None = None, limit: int = 20) -> Page[DeadJob]:
        size = max(1, min(limit, LARGEST_PAGE))
        columns = JOBS.c
        query = sql.LIST_DEAD.order_by(columns.settled_at.desc(), columns.id.desc()).limit(size + 1)
        if kind is not None:
            query = query.where(columns.kind == kind)
        if cursor is not None:
            died_at, identifier = decode_cursor("dead-jobs", cursor, tuple[float, UUID])
            earlier = and_(columns.settled_at == died_at, columns.id < identifier)
            query = query.where(or_(columns.settled_at < died_at, earlier))

        async def work(transaction: SqlTransaction) -> list[DeadJob]:
            rows = await transaction.connection.execute(query)
            return [DeadJob(row.id, row.kind, row.payload, row.attempts, row.error, row.settled_at) for row in rows]

        found = await self._units.read(work)
        items = found[:size]
        more = len(found) > size
        return Page(items, encode_cursor("dead-jobs", (items[-1].died_at, items[-1].id)) if more else None)

    async def revive(self, job: UUID) -> bool:
        async def work(transaction: SqlTransaction) -> bool:
            now = self._clock.now()
            result = await transaction.connection.execute(sql.REVIVE, {"job": job, "now": now})
            transaction.after_commit(_call(self._bell.ring, now))
            return result.first() is not None

        return await self._units.write(work, serializable=False)

    async def counts(self) -> dict[str, int]:
        async def work(transaction: SqlTransaction) -> dict[str, int]:
            rows = await transaction.connection.execute(sql.COUNT)
            return {row.state: row.number for row in rows}

        found = await self._units.read(work)
        return {state.value: found.get(state, 0) for state in (State.QUEUED, State.CLAIMED, State.DEAD)}

    async def oldest_due(self) -> float | None:
        async def work(transaction: SqlTransaction) -> float | None:
            due_at: float | None = await transaction.connection.scalar(sql.OLDEST_DUE, {"now": self._clock.now()})
            return due_at

        return await self._units.read(work)


def _check(job: NewJob) -> None:
    texts = [job.kind] if job.key is None else [job.kind, job.key]
    problems = {
        f"its kind must have 1 to {MAX_KIND_LENGTH} characters": not 1 <= len(job.kind) <= MAX_KIND_LENGTH,
        f"its key must have at most {MAX_KEY_LENGTH} characters": len(job.key or "") > MAX_KEY_LENGTH,
        f"its payload must not exceed {MAX_PAYLOAD_BYTES} bytes; keep more in the object store": (
            len(job.payload) > MAX_PAYLOAD_BYTES
        ),
        "it must be allowed one attempt at least": job.max_attempts < 1,
        "its kind and key must be Unicode text without U+0000": not all(_is_storable(text) for text in texts),
    }
    for problem, found in problems.items():
        if found:
            raise Unprocessable(f"This job cannot be stored: {problem}.", code="bad_job")


def _is_storable(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _storable(text: str) -> str:
    """An error message whatever it quotes: one that could not be kept would keep its job from being settled."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _row(job: NewJob, identifier: UUID, now: float) -> dict[str, Any]:
    return {
        "id": identifier,
        "kind": job.kind,
        "dedup_key": job.key,
        "state": State.QUEUED,
        "due_at": now if job.run_at is None else job.run_at,
        "attempts": 0,
        "max_attempts": job.max_attempts,
        "postponed": 0,
        "error": "",
        "payload": job.payload,
    }


def _key_order(row: dict[str, Any]) -> tuple[str, str]:
    return row["kind"], row["dedup_key"] or ""


def _recording(outcome: JobOutcome, *, keyed: bool, now: float) -> tuple[Any, dict[str, Any]]:
    """The statement that records an outcome, and its values."""
    match outcome:
        case JobDone():
            return (sql.FINISH, {"now": now}) if keyed else (sql.FORGET, {})
        case JobPostponed(reason=reason, run_at=run_at):
            return sql.POSTPONE, {"run_at": run_at, "reason": _storable(reason)}
        case JobFailed(error=error, retry_at=None):
            return sql.DIE, {"now": now, "reason": _storable(error)}
        case JobFailed(error=error, retry_at=retry_at):
            return sql.RETRY, {"run_at": retry_at, "reason": _storable(error)}


def _pair(job: Job) -> dict[str, Any]:
    return {"job": job.id, "held_by": job.claim}


def _is_held(job: Job, held: dict[UUID, Any]) -> bool:
    return job.id in held and held[job.id].claim == job.claim


async def _held(transaction: SqlTransaction, jobs: Sequence[Job]) -> dict[UUID, Any]:
    """The rows of those jobs that are claimed, locked, in one order by everybody."""
    ids = sorted({job.id for job in jobs})
    rows: dict[UUID, Any] = {}
    for part in _chunks(ids):
        found = await transaction.connection.execute(sql.FIND_HELD, {"jobs": part})
        rows.update((row.id, row) for row in found)
    return rows


async def _existing(transaction: SqlTransaction, jobs: Sequence[NewJob]) -> dict[tuple[str, str], UUID]:
    keys = sorted({job.key for job in jobs if job.key is not None})
    kinds = sorted({job.kind for job in jobs})
    existing: dict[tuple[str, str], UUID] = {}
    for part in _chunks(keys):
        rows = await transaction.connection.execute(sql.FIND_KEYS, {"kinds": kinds, "keys": part})
        existing.update(((row.kind, row.dedup_key), row.id) for row in rows)
    return existing


async def _run_for_each(transaction: SqlTransaction, statement: Any, rows: Sequence[dict[str, Any]]) -> None:
    for part in _chunks(rows):
        await transaction.connection.execute(statement, part)


def _chunks(items: Sequence[Item]) -> Iterator[list[Item]]:
    for start in range(0, len(items), CHUNK):
        yield list(items[start : start + CHUNK])


def _call(ring: Callable[[float], None], due_at: float) -> Callable[[], None]:
    return lambda: ring(due_at)


async def _purge_for_ever(queue: SqlJobQueue, *, keep_done: float) -> None:
    while True:
        try:
            purged = await queue.purge(older_than=keep_done)
        except Exception as error:  # noqa: BLE001 - a store that is down must not end the purging for good
            _log.debug("jobs: purging failed with %s", type(error).__name__)
            purged = 0
        if purged < PURGE_ROWS:
            await asyncio.sleep(PURGE_EVERY_SECONDS)
