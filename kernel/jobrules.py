"""What a job runner decides, apart from how it runs: pure functions of what it sees and the time it is handed."""

from __future__ import annotations

from kernel.errors import DependencyUnavailable
from kernel.jobs import Job, JobDone, JobFailed, JobOutcome, JobPostponed, retry_delay

# A job whose store is down is tried about once a minute, so that it runs soon after the store's return, and for
# about three days; after that an outage counts like any other failure and the job can end in the dead letters.
LONGEST_POSTPONEMENT_SECONDS = 60.0
POSTPONEMENTS_WAITED_OUT = 5_000

# Jobs are claimed this far ahead of the workers: it hides a round trip to the store, and is short enough that
# another node with free workers does not sit idle next to them.
CLAIM_AHEAD_SECONDS = 0.5

# Recovery within two seconds of a store's return is promised; the circuit in front of it takes up to one of them.
FIRST_STORE_PAUSE_SECONDS = 0.1
LONGEST_STORE_PAUSE_SECONDS = 0.8

_SHORTEST_JOB_SECONDS = 1e-6
_LONGEST_ERROR = 500


class PermanentFailure(Exception):
    """Raised by a handler when another attempt cannot help: the job goes to the dead letters at once."""


def outcome_of(job: Job, error: BaseException | None, *, now: float, jitter: float) -> JobOutcome:
    """How an attempt that ended with ``error`` (None: well) is recorded; ``jitter`` is in [0, 1)."""
    if error is None:
        return JobDone(job)
    cause = _only_cause(error)
    if isinstance(cause, DependencyUnavailable) and job.postponed < POSTPONEMENTS_WAITED_OUT:
        return JobPostponed(job, describe(cause), now + postponement(job.postponed, cause.retry_after, jitter))
    if isinstance(cause, PermanentFailure) or job.attempt >= job.max_attempts:
        return JobFailed(job, describe(cause), retry_at=None)
    return JobFailed(job, describe(cause), retry_at=now + retry_delay(job.attempt, jitter))


def postponement(postponed: int, retry_after: float | None, jitter: float) -> float:
    """Seconds until a job whose store was down is tried again: growing, never before the store asked for."""
    longest = LONGEST_POSTPONEMENT_SECONDS * (0.75 + 0.25 * jitter)
    return max(min(retry_delay(postponed + 1, jitter), longest), retry_after or 0.0)


def claim_size(*, held: int, workers: int, batch: int, seconds_per_job: float) -> int:
    """How many more jobs to claim while ``held`` are here (waiting, running or not yet recorded).

    Every worker busy, plus what they will get through in CLAIM_AHEAD_SECONDS: with jobs that take minutes
    nothing waits here for a worker while its lease runs, with short ones whole batches do.
    """
    ahead = int(min(batch, workers * CLAIM_AHEAD_SECONDS / max(seconds_per_job, _SHORTEST_JOB_SECONDS)))
    return max(0, min(batch, workers + ahead - held))


def store_pause(failures: int, jitter: float) -> float:
    """Seconds before the store is asked again after ``failures`` (from 1) failed calls in a row."""
    base = min(FIRST_STORE_PAUSE_SECONDS * 2.0 ** min(failures - 1, 16), LONGEST_STORE_PAUSE_SECONDS)
    return base * (0.75 + 0.25 * jitter)


def describe(error: BaseException) -> str:
    """The kind of an error and the first line of its message: what is kept of a failure."""
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return (f"{name}: {lines[0]}" if lines else name)[:_LONGEST_ERROR]


def _only_cause(error: BaseException) -> BaseException:
    """A task group wraps a single failure as well; what went wrong is inside."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
