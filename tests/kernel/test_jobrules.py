from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import DependencyUnavailable
from kernel.jobrules import (
    CLAIM_AHEAD_SECONDS,
    LONGEST_POSTPONEMENT_SECONDS,
    LONGEST_STORE_PAUSE_SECONDS,
    POSTPONEMENTS_WAITED_OUT,
    PermanentFailure,
    claim_size,
    describe,
    outcome_of,
    postponement,
    store_pause,
)
from kernel.jobs import Job, JobDone, JobFailed, JobPostponed

NOW = 1_700_000_000.0
JITTER = st.floats(0, 1, exclude_max=True)


def job(*, attempt: int = 1, max_attempts: int = 3, postponed: int = 0) -> Job:
    return Job(uuid.uuid4(), "mail", b"", attempt, max_attempts, uuid.uuid4(), postponed)


def test_an_attempt_without_an_error_is_done() -> None:
    one = job()
    assert outcome_of(one, None, now=NOW, jitter=0.5) == JobDone(one)


def test_an_error_is_tried_again_after_a_growing_delay() -> None:
    delays = []
    for attempt in (1, 2, 3, 4):
        outcome = outcome_of(job(attempt=attempt, max_attempts=5), ValueError("no"), now=NOW, jitter=0.5)
        assert isinstance(outcome, JobFailed)
        assert outcome.retry_at is not None
        delays.append(outcome.retry_at - NOW)
    assert delays == [1.0, 2.0, 4.0, 8.0]


def test_the_last_attempt_that_fails_is_a_dead_letter() -> None:
    last = job(attempt=3, max_attempts=3)
    assert outcome_of(last, ValueError("no"), now=NOW, jitter=0) == JobFailed(last, "ValueError: no", retry_at=None)


def test_a_permanent_failure_is_a_dead_letter_at_once() -> None:
    first = job(attempt=1)
    expected = JobFailed(first, "PermanentFailure: no such mailbox", retry_at=None)
    assert outcome_of(first, PermanentFailure("no such mailbox"), now=NOW, jitter=0) == expected


def test_an_outage_counts_no_attempt_even_in_the_last_one() -> None:
    last = job(attempt=3, max_attempts=3)
    outcome = outcome_of(last, DependencyUnavailable("smtp", "refused"), now=NOW, jitter=0.5)
    assert outcome == JobPostponed(last, "DependencyUnavailable: smtp is unavailable: refused", NOW + 1.0)


def test_an_outage_that_never_ends_becomes_an_ordinary_failure() -> None:
    outage = DependencyUnavailable("smtp", "refused")
    patient = job(attempt=3, max_attempts=3, postponed=POSTPONEMENTS_WAITED_OUT - 1)
    tired = job(attempt=3, max_attempts=3, postponed=POSTPONEMENTS_WAITED_OUT)
    assert isinstance(outcome_of(patient, outage, now=NOW, jitter=0), JobPostponed)
    assert isinstance(outcome_of(tired, outage, now=NOW, jitter=0), JobFailed)


def test_a_failure_inside_a_task_group_is_judged_by_its_cause() -> None:
    wrapped = ExceptionGroup("unhandled errors", [ExceptionGroup("inner", [PermanentFailure("gone")])])
    outcome = outcome_of(job(), wrapped, now=NOW, jitter=0)
    assert isinstance(outcome, JobFailed)
    assert (outcome.error, outcome.retry_at) == ("PermanentFailure: gone", None)


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ValueError("first\nsecond"), "ValueError: first"),
        (ValueError(""), "ValueError"),
        (ValueError("\n  \n"), "ValueError"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_of_an_error_its_kind_and_first_line_are_kept(error: Exception, kept: str) -> None:
    assert describe(error) == kept


def test_a_long_error_is_cut() -> None:
    assert len(describe(ValueError("x" * 10_000))) == 500


@given(postponed=st.integers(0, POSTPONEMENTS_WAITED_OUT), jitter=JITTER)
def test_a_postponed_job_is_tried_at_least_once_a_minute(postponed: int, jitter: float) -> None:
    assert 0 < postponement(postponed, None, jitter) <= LONGEST_POSTPONEMENT_SECONDS


@given(postponed=st.integers(0, 100), jitter=JITTER, asked=st.floats(0, 3600))
def test_a_postponed_job_is_not_tried_before_the_store_asked_for(postponed: int, jitter: float, asked: float) -> None:
    assert postponement(postponed, asked, jitter) >= asked


@given(failures=st.integers(1, 10_000), jitter=JITTER)
def test_a_store_that_is_down_is_asked_again_soon(failures: int, jitter: float) -> None:
    assert 0.05 < store_pause(failures, jitter) <= LONGEST_STORE_PAUSE_SECONDS


SIZES = st.integers(1, 256)


@given(held=st.integers(0, 2000), workers=SIZES, batch=st.integers(1, 1000), seconds=st.floats(0, 1e6))
def test_what_is_held_stays_within_workers_and_a_batch(held: int, workers: int, batch: int, seconds: float) -> None:
    size = claim_size(held=held, workers=workers, batch=batch, seconds_per_job=seconds)
    assert 0 <= size <= batch
    assert size == 0 or held + size <= workers + batch


@given(held=st.integers(0, 2000), workers=SIZES, batch=st.integers(1, 1000), seconds=st.floats(0.001, 1e6))
def test_what_is_claimed_ahead_is_done_within_the_horizon(held: int, workers: int, batch: int, seconds: float) -> None:
    size = claim_size(held=held, workers=workers, batch=batch, seconds_per_job=seconds)
    waiting_after = max(0, held + size - workers)
    assert size == 0 or waiting_after * seconds / workers <= CLAIM_AHEAD_SECONDS + 1e-9


@given(workers=SIZES, batch=st.integers(1, 1000), seconds=st.floats(0, 1e6))
def test_a_free_worker_always_gets_something_to_do(workers: int, batch: int, seconds: float) -> None:
    assert claim_size(held=workers - 1, workers=workers, batch=batch, seconds_per_job=seconds) >= 1
