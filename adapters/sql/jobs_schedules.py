"""Schedules in the relational store: whoever moves one on to its next moment adds its job, in one transaction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import bindparam, case, or_, select, update

from adapters.sql.jobs_tables import IS_LIVE, SCHEDULES
from adapters.sql.lane import SqlTransaction
from adapters.sql.metadata import Bytes, Id, Moment, Text, upsert
from adapters.sql.units import SqlUnits
from kernel.clock import Clock
from kernel.errors import Unprocessable
from kernel.jobs import NewJob

_c = SCHEDULES.c

ADD = upsert(SCHEDULES).on_conflict_do_nothing(index_elements=["name"])
CHANGE = (
    update(SCHEDULES)
    .where(
        _c.name == bindparam("schedule"),
        or_(
            _c.kind != bindparam("new_kind", type_=Text),
            _c.payload != bindparam("new_payload", type_=Bytes),
            _c.every != bindparam("new_every", type_=Moment),
        ),
    )
    .values(
        kind=bindparam("new_kind", type_=Text),
        payload=bindparam("new_payload", type_=Bytes),
        every=bindparam("new_every", type_=Moment),
        next_at=case(
            (_c.next_at > bindparam("soonest", type_=Moment), bindparam("soonest", type_=Moment)), else_=_c.next_at
        ),
    )
)
DUE = select(SCHEDULES).where(_c.next_at <= bindparam("now", type_=Moment)).order_by(_c.name)
# Of several nodes that saw the same moment, one changes it; the others' WHERE no longer holds when they get there.
MOVE_ON = (
    update(SCHEDULES)
    .where(_c.name == bindparam("schedule"), _c.next_at == bindparam("seen", type_=Moment))
    .values(next_at=bindparam("then", type_=Moment))
    .returning(_c.name)
)
REMEMBER = update(SCHEDULES).where(_c.name == bindparam("schedule")).values(last_job=bindparam("job", type_=Id))


class AddsJobs(Protocol):
    async def add(self, transaction: SqlTransaction, jobs: Sequence[NewJob]) -> list[UUID]: ...


class SqlSchedules:
    """kernel.jobs.Schedules."""

    def __init__(self, units: SqlUnits, queue: AddsJobs, *, clock: Clock) -> None:
        self._units = units
        self._queue = queue
        self._clock = clock

    async def ensure(self, name: str, *, kind: str, payload: bytes, every: float) -> None:
        if not every > 0:
            raise Unprocessable(f"The schedule {name!r} needs a period greater than zero.", code="bad_schedule")
        first = self._clock.now() + every
        row = {"name": name, "kind": kind, "payload": payload, "every": every, "next_at": first}
        change = {
            "schedule": name,
            "new_kind": kind,
            "new_payload": payload,
            "new_every": every,
            "soonest": first,
        }

        async def work(transaction: SqlTransaction) -> None:
            await transaction.connection.execute(ADD, row)
            await transaction.connection.execute(CHANGE, change)

        await self._units.write(work, serializable=False)

    async def fire_due(self) -> int:
        now = self._clock.now()

        async def look(transaction: SqlTransaction) -> bool:
            return (await transaction.connection.execute(DUE, {"now": now})).first() is not None

        async def work(transaction: SqlTransaction) -> int:
            due = (await transaction.connection.execute(DUE, {"now": now})).all()
            return sum([await self._fire(transaction, schedule, now) for schedule in due])

        # Almost always nothing is due: reading does not stand in the way of writers.
        return await self._units.write(work, serializable=False) if await self._units.read(look) else 0

    async def _fire(self, transaction: SqlTransaction, schedule: Any, now: float) -> int:
        """How many jobs that added: none when another node was first, or the last one is still to end."""
        connection = transaction.connection
        then = next_moment(schedule.next_at, schedule.every, now)
        moving = {"schedule": schedule.name, "seen": schedule.next_at, "then": then}
        if (await connection.execute(MOVE_ON, moving)).first() is None:
            return 0
        if (await connection.execute(IS_LIVE, {"job": schedule.last_job})).first() is not None:
            return 0
        [job] = await self._queue.add(transaction, [NewJob(schedule.kind, schedule.payload)])
        await connection.execute(REMEMBER, {"schedule": schedule.name, "job": job})
        return 1


def next_moment(seen: float, every: float, now: float) -> float:
    """The first moment after ``now`` on the grid of a schedule that was due at ``seen``."""
    periods = math.floor((now - seen) / every) + 1
    moment = seen + periods * every
    return moment if moment > now else moment + every
