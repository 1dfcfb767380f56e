"""Durable jobs: at least once, with back-off, schedules, dead letters and idempotent enqueueing.

Enqueueing inside a transaction *is* the outbox: the job exists if and only if the transaction committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from kernel.cursors import Page
from kernel.units import Transaction

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 3600.0

# Jobs are claimed in batches and their payloads held in memory; what is larger belongs into the object store.
MAX_PAYLOAD_BYTES = 1 << 20
MAX_KIND_LENGTH = 100
MAX_KEY_LENGTH = 500


@dataclass(frozen=True, slots=True)
class NewJob:
    """``key`` makes enqueueing idempotent per kind: while a job of that key is kept (waiting, running, dead, or
    finished not longer ago than the configured time), a second one is not added.
    ``run_at`` (Unix seconds) delays the first attempt; None means now."""

    kind: str
    payload: bytes
    key: str | None = None
    run_at: float | None = None
    max_attempts: int = 10


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job. ``attempt`` counts from 1; ``claim`` proves that this worker still holds it; ``postponed``
    says how often it was given back without counting an attempt."""

    id: UUID
    kind: str
    payload: bytes
    attempt: int
    max_attempts: int
    claim: UUID
    postponed: int = 0


@dataclass(frozen=True, slots=True)
class JobDone:
    job: Job


@dataclass(frozen=True, slots=True)
class JobFailed:
    """``retry_at`` None sends it to the dead letters."""

    job: Job
    error: str
    retry_at: float | None


@dataclass(frozen=True, slots=True)
class JobPostponed:
    """Given back through no fault of its own (a node that stops, a store that is down): the attempt does not count."""

    job: Job
    reason: str
    run_at: float


JobOutcome = JobDone | JobFailed | JobPostponed


@dataclass(frozen=True, slots=True)
class DeadJob:
    id: UUID
    kind: str
    payload: bytes
    attempts: int
    error: str
    died_at: float


class JobQueue(Protocol):
    async def enqueue(self, jobs: Sequence[NewJob], *, within: Transaction | None = None) -> Sequence[UUID]:
        """Ids in order; for a key that exists already, the existing job's id. All of one call or none.

        Raises Unprocessable ``bad_job`` for what no store could keep (see the limits above), Overloaded when
        too many callers wait for the store already.
        """
        ...

    async def claim(self, kinds: Sequence[str], *, limit: int, lease: float) -> Sequence[Job]:
        """Take due jobs, oldest first, for ``lease`` seconds; a job whose lease ran out is claimable again.

        An attempt counts from here, so that a job that kills its process does not do so for ever: one that is
        lost in its last attempt goes to the dead letters instead of being handed out again.
        """
        ...

    async def renew(self, jobs: Sequence[Job], *, lease: float) -> frozenset[UUID]:
        """The ids that are still held by these claims."""
        ...

    async def settle(self, outcomes: Sequence[JobOutcome]) -> frozenset[UUID]:
        """Record how attempts ended; answers the ids that were still held. An outcome of a lost claim is ignored."""
        ...

    async def wait(self, *, timeout: float) -> None:
        """Until a job may be due (a wake-up may be spurious) or ``timeout`` seconds have passed."""
        ...


class DeadLetters(Protocol):
    async def list_dead(
        self, *, kind: str | None = None, cursor: str | None = None, limit: int = 20
    ) -> Page[DeadJob]: ...

    async def revive(self, job: UUID) -> bool:
        """Queue a dead job again with fresh attempts; False when there is none of that id."""
        ...

    async def counts(self) -> dict[str, int]:
        """How many jobs are ``queued``, ``claimed`` and ``dead``."""
        ...

    async def oldest_due(self) -> float | None:
        """When (Unix seconds) the job that has waited longest became due; None when none waits."""
        ...


class Schedules(Protocol):
    async def ensure(self, name: str, *, kind: str, payload: bytes, every: float) -> None:
        """Have a job of ``kind`` every ``every`` seconds, once in the whole cluster however many nodes ask.

        The first one comes after one period. Asking again with other values changes the schedule.
        """
        ...

    async def fire_due(self) -> int:
        """Enqueue what is due; answers how many jobs that were. Periods missed while nothing ran are made up by
        one job, not by many, and while a schedule's last job has not ended it adds no other."""
        ...


def retry_delay(attempt: int, jitter: float) -> float:
    """Exponential back-off: 1, 2, 4 ... seconds up to an hour, spread by ``jitter`` in [0, 1) over 75-125 %
    so that a thousand jobs that failed together do not come back together."""
    base = min(FIRST_RETRY_SECONDS * 2.0 ** min(attempt - 1, 16), LONGEST_RETRY_SECONDS)
    return base * (0.75 + 0.5 * jitter)
