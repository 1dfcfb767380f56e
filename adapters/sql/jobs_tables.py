"""The tables of durable jobs and the statements over them, the same on every backend.

``due_at`` carries both waits: a queued job's is when it may run, a claimed one's when its lease ends. Whatever is
due by it may be claimed, in that order, so that claiming is one range of one index; finished jobs have none.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Column, Index, Table, UniqueConstraint, bindparam, case, delete, func, select, update

from adapters.sql.metadata import Bytes, Id, Integer, Moment, Text, metadata, upsert


class State(StrEnum):
    QUEUED = "queued"
    CLAIMED = "claimed"
    DONE = "done"
    DEAD = "dead"


JOBS = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("dedup_key", Text),
    Column("state", Text, nullable=False),
    Column("due_at", Moment),
    Column("settled_at", Moment),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("postponed", Integer, nullable=False),
    Column("claim", Id),
    Column("error", Text, nullable=False),
    # Last, because what stands behind a large value is slow to reach in SQLite.
    Column("payload", Bytes, nullable=False),
    # Not the kind first: SQLite would then claim by it, and sort the whole backlog each time.
    UniqueConstraint("dedup_key", "kind"),
    # ``kind`` makes skipping kinds that this node has no handler for a matter of the index alone.
    Index(None, "due_at", "id", "kind"),
    # Counting by state, listing the dead, purging the finished.
    Index(None, "state", "settled_at", "id"),
)

SCHEDULES = Table(
    "job_schedules",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("payload", Bytes, nullable=False),
    Column("every", Moment, nullable=False),
    Column("next_at", Moment, nullable=False),
    Column("last_job", Id),
)

_c = JOBS.c
_LIVE = (State.QUEUED, State.CLAIMED)
_THIS_CLAIM = (_c.id == bindparam("job"), _c.claim == bindparam("held_by"))

ADD = upsert(JOBS).on_conflict_do_nothing(index_elements=["dedup_key", "kind"])
FIND_KEYS = select(_c.id, _c.kind, _c.dedup_key).where(
    _c.kind.in_(bindparam("kinds", expanding=True)), _c.dedup_key.in_(bindparam("keys", expanding=True))
)

DUE = (
    select(_c.id, _c.kind, _c.payload, _c.state, _c.attempts, _c.max_attempts, _c.postponed)
    .where(_c.due_at <= bindparam("now", type_=Moment), _c.kind.in_(bindparam("kinds", expanding=True)))
    .order_by(_c.due_at, _c.id)
    .limit(bindparam("most", type_=Integer))
)
# SKIP LOCKED keeps workers of several nodes from queueing up behind each other. Exclusive claims do not rest on
# it: TAKE looks at ``due_at`` again, and a lease that someone else has just begun ends in the future.
FIND_DUE = DUE.with_for_update(skip_locked=True)
TAKE = (
    update(JOBS)
    .where(_c.id.in_(bindparam("jobs", expanding=True)), _c.due_at <= bindparam("now", type_=Moment))
    .values(
        state=State.CLAIMED,
        claim=bindparam("new_claim", type_=Id),
        due_at=bindparam("until", type_=Moment),
        attempts=_c.attempts + 1,
    )
    .returning(_c.id, _c.attempts)
)
# A worker that was killed in the last attempt left no error behind; one that failed did.
BURY = (
    update(JOBS)
    .where(_c.id.in_(bindparam("jobs", expanding=True)), _c.due_at <= bindparam("now", type_=Moment))
    .values(
        state=State.DEAD,
        claim=None,
        due_at=None,
        settled_at=bindparam("now", type_=Moment),
        error=case((_c.state == State.CLAIMED, bindparam("reason", type_=Text)), else_=_c.error),
    )
)

# Locked in one order by everybody, so that two that settle the same jobs wait instead of deadlocking.
FIND_HELD = (
    select(_c.id, _c.claim, _c.dedup_key.is_not(None).label("keyed"))
    .where(_c.id.in_(bindparam("jobs", expanding=True)), _c.state == State.CLAIMED)
    .order_by(_c.id)
    .with_for_update()
)
PROLONG = update(JOBS).where(*_THIS_CLAIM).values(due_at=bindparam("until", type_=Moment))
FORGET = delete(JOBS).where(*_THIS_CLAIM)
FINISH = (
    update(JOBS)
    .where(*_THIS_CLAIM)
    .values(state=State.DONE, claim=None, due_at=None, settled_at=bindparam("now", type_=Moment), payload=b"")
)
RETRY = (
    update(JOBS)
    .where(*_THIS_CLAIM)
    .values(state=State.QUEUED, claim=None, due_at=bindparam("run_at", type_=Moment), error=bindparam("reason"))
)
POSTPONE = RETRY.values(attempts=_c.attempts - 1, postponed=_c.postponed + 1)
DIE = (
    update(JOBS)
    .where(*_THIS_CLAIM)
    .values(
        state=State.DEAD,
        claim=None,
        due_at=None,
        settled_at=bindparam("now", type_=Moment),
        error=bindparam("reason"),
    )
)

REVIVE = (
    update(JOBS)
    .where(_c.id == bindparam("job"), _c.state == State.DEAD)
    .values(
        state=State.QUEUED, due_at=bindparam("now", type_=Moment), settled_at=None, attempts=0, postponed=0, error=""
    )
    .returning(_c.id)
)
LIST_DEAD = select(_c.id, _c.kind, _c.payload, _c.attempts, _c.error, _c.settled_at).where(_c.state == State.DEAD)
COUNT = select(_c.state, func.count().label("number")).where(_c.state.in_((*_LIVE, State.DEAD))).group_by(_c.state)
OLDEST_DUE = select(_c.due_at).where(_c.due_at <= bindparam("now", type_=Moment)).order_by(_c.due_at, _c.id).limit(1)
PURGE = (
    delete(JOBS)
    .where(
        _c.id.in_(
            select(_c.id)
            .where(_c.state == State.DONE, _c.settled_at <= bindparam("before", type_=Moment))
            .order_by(_c.settled_at, _c.id)
            .limit(bindparam("most", type_=Integer))
        )
    )
    .returning(_c.id)
)
IS_LIVE = select(_c.id).where(_c.id == bindparam("job"), _c.state.in_(_LIVE))
