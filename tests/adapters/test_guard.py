"""The guard on a real event loop: every way in which a call can end, and what each does to the circuit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from adapters.guard import FAILURES_TO_OPEN, FIRST_PAUSE, LONGEST_PAUSE, Guard
from kernel.breaker import Circuit
from kernel.errors import Conflict, DependencyUnavailable
from kernel.metrics import Metrics
from tests.clocks import VirtualClock

TIMEOUT = 0.1
# What a loaded machine may add to a timer.
SLACK = 0.4
# The loop tells time in whole milliseconds.
EARLY = 0.005

Operation = Callable[[], Awaitable[object]]


class StoreAway(Exception):
    """What the client of this store raises when it cannot reach it."""


class Guarded:
    def __init__(self, timeout: float = TIMEOUT) -> None:
        self.clock = VirtualClock()
        self.metrics = Metrics()
        self.guard = Guard("store", timeout=timeout, outages=[StoreAway], clock=self.clock, metrics=self.metrics)

    def errors(self, reason: str) -> float:
        labels = {"dependency": "store", "reason": reason}
        return self.metrics.registry.get_sample_value("secureconnect_dependency_errors_total", labels) or 0.0

    @property
    def failures(self) -> float:
        return self.errors("timeout") + self.errors("outage")

    def circuit(self) -> Circuit:
        return self.guard.circuit

    def circuit_metric(self) -> float | None:
        return self.metrics.registry.get_sample_value("secureconnect_dependency_circuit_open", {"dependency": "store"})

    def calls_timed(self) -> float | None:
        return self.metrics.registry.get_sample_value("secureconnect_dependency_seconds_count", {"dependency": "store"})

    async def unavailable(self, operation: Operation, *, timeout: float | None = None) -> DependencyUnavailable:
        with pytest.raises(DependencyUnavailable) as caught:
            await self.guard.call(operation, timeout=timeout)
        return caught.value

    async def open_circuit(self) -> None:
        for _ in range(FAILURES_TO_OPEN):
            await self.unavailable(is_away)
        assert self.circuit() is Circuit.OPEN

    async def one_failure_before_opening(self) -> None:
        for _ in range(FAILURES_TO_OPEN - 1):
            await self.unavailable(is_away)
        assert self.circuit() is Circuit.CLOSED


@pytest.fixture
def store() -> Guarded:
    return Guarded()


async def answers() -> str:
    return "answer"


async def is_away() -> None:
    raise StoreAway("connection refused\nby the machine next door")


async def says_no() -> None:
    raise KeyError("duplicate")


async def hangs() -> None:
    await asyncio.Event().wait()


async def gives_up_a_future_of_its_own() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def turns_cancellation_into_an_answer() -> None:
    try:
        await hangs()
    except asyncio.CancelledError as error:
        raise ValueError("broken pipe while reading") from error


async def turns_cancellation_into_an_outage() -> None:
    try:
        await hangs()
    except asyncio.CancelledError as error:
        raise StoreAway("connection lost") from error


async def test_an_answer_is_passed_on_and_timed(store: Guarded) -> None:
    assert await store.guard.call(answers) == "answer"
    assert (store.calls_timed(), store.failures) == (1.0, 0.0)


async def test_a_call_that_hangs_is_unavailable_within_the_timeout(store: Guarded) -> None:
    started = time.monotonic()
    error = await store.unavailable(hangs)
    assert TIMEOUT - EARLY <= time.monotonic() - started < TIMEOUT + SLACK
    assert (error.dependency, error.reason) == ("store", "no answer within 0.1 s")
    assert (store.errors("timeout"), store.errors("outage")) == (1.0, 0.0)


async def test_a_call_may_have_a_timeout_of_its_own() -> None:
    store = Guarded(timeout=60.0)
    started = time.monotonic()
    await store.unavailable(hangs, timeout=0.05)
    assert time.monotonic() - started < 0.05 + SLACK


async def test_the_clients_word_for_unreachable_is_an_outage_told_in_one_line(store: Guarded) -> None:
    error = await store.unavailable(is_away)
    assert error.reason == "StoreAway (connection refused)"
    assert isinstance(error.__cause__, StoreAway)
    assert (store.errors("timeout"), store.errors("outage")) == (0.0, 1.0)


async def test_a_subclass_of_an_outage_is_one(store: Guarded) -> None:
    class Refused(StoreAway):
        pass

    async def refuses() -> None:
        raise Refused

    assert (await store.unavailable(refuses)).reason == "Refused (no message)"


async def test_any_other_exception_passes_unchanged_and_is_an_answer(store: Guarded) -> None:
    await store.one_failure_before_opening()
    failure = KeyError("duplicate")

    async def fails() -> None:
        raise failure

    with pytest.raises(KeyError) as caught:
        await store.guard.call(fails)
    assert caught.value is failure
    await store.one_failure_before_opening()


async def test_a_typed_error_of_ours_from_inside_is_an_answer_too(store: Guarded) -> None:
    async def conflicts() -> None:
        raise Conflict("someone was first")

    await store.one_failure_before_opening()
    with pytest.raises(Conflict):
        await store.guard.call(conflicts)
    await store.one_failure_before_opening()


async def test_a_timeout_of_the_clients_own_is_not_our_deadline(store: Guarded) -> None:
    async def client_timeout() -> None:
        raise TimeoutError("pool exhausted")

    with pytest.raises(TimeoutError, match="pool exhausted"):
        await store.guard.call(client_timeout)
    assert store.failures == 0


async def test_a_timeout_of_the_clients_own_can_be_its_word_for_unreachable() -> None:
    metrics = Metrics()
    guard = Guard("store", timeout=TIMEOUT, outages=[TimeoutError], clock=VirtualClock(), metrics=metrics)

    async def client_timeout() -> None:
        async with asyncio.timeout(0):
            await hangs()

    with pytest.raises(DependencyUnavailable, match=r"TimeoutError \(no message\)"):
        await guard.call(client_timeout)


# --- the circuit ---------------------------------------------------------------------------------------------


async def test_after_failures_in_a_row_calls_are_refused_at_once_without_reaching_the_store(store: Guarded) -> None:
    await store.open_circuit()
    reached: list[int] = []

    async def reaches() -> None:
        reached.append(1)

    error = await store.unavailable(reaches)
    assert reached == []
    assert "circuit is open" in error.reason
    assert error.retry_after == pytest.approx(FIRST_PAUSE)
    assert store.errors("circuit_open") == 1.0
    assert store.circuit_metric() == 1.0


async def test_timeouts_open_the_circuit_like_outages(store: Guarded) -> None:
    for _ in range(FAILURES_TO_OPEN):
        await store.unavailable(hangs, timeout=0.01)
    assert store.circuit() is Circuit.OPEN


async def test_after_the_pause_one_call_tries_and_its_success_closes_the_circuit(store: Guarded) -> None:
    await store.open_circuit()
    store.clock.advance(FIRST_PAUSE)
    assert store.circuit() is Circuit.HALF_OPEN
    answer = asyncio.Event()
    first = asyncio.create_task(store.guard.call(answer.wait))
    await asyncio.sleep(0)
    await store.unavailable(answers)
    answer.set()
    assert await first
    assert store.circuit() is Circuit.CLOSED
    assert store.circuit_metric() == 0.0
    assert await store.guard.call(answers) == "answer"


async def test_while_the_store_is_away_it_is_tried_at_least_once_in_the_longest_pause(store: Guarded) -> None:
    await store.open_circuit()
    for _ in range(10):
        store.clock.advance(LONGEST_PAUSE)
        assert (await store.unavailable(is_away)).reason.startswith("StoreAway")


async def test_a_try_that_was_cancelled_does_not_keep_others_out_for_ever(store: Guarded) -> None:
    await store.open_circuit()
    store.clock.advance(FIRST_PAUSE)
    lost = asyncio.create_task(store.guard.call(hangs))
    await asyncio.sleep(0)
    await cancelled(lost)
    await store.unavailable(answers)
    store.clock.advance(TIMEOUT)
    assert await store.guard.call(answers) == "answer"


# --- cancellation --------------------------------------------------------------------------------------------


async def cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def started(operation: Awaitable[object]) -> asyncio.Task[object]:
    async def run() -> object:
        return await operation

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    return task


async def test_being_cancelled_from_outside_is_neither_a_failure_nor_an_answer() -> None:
    store = Guarded(timeout=60.0)
    await store.one_failure_before_opening()
    before = store.failures
    for _ in range(FAILURES_TO_OPEN):
        await cancelled(await started(store.guard.call(hangs)))
    assert store.failures == before
    assert store.circuit() is Circuit.CLOSED
    await store.unavailable(is_away)
    assert store.circuit() is Circuit.OPEN


@pytest.mark.parametrize("operation", [turns_cancellation_into_an_answer, turns_cancellation_into_an_outage])
async def test_a_cancellation_that_the_client_turned_into_an_error_goes_on(operation: Operation) -> None:
    store = Guarded(timeout=60.0)
    await cancelled(await started(store.guard.call(operation)))
    assert store.failures == 0


@pytest.mark.parametrize("operation", [turns_cancellation_into_an_answer, turns_cancellation_into_an_outage])
async def test_our_deadline_that_the_client_turned_into_an_error_is_a_timeout(
    store: Guarded, operation: Operation
) -> None:
    error = await store.unavailable(operation)
    assert error.reason == "no answer within 0.1 s"
    assert (store.errors("timeout"), store.errors("outage")) == (1.0, 0.0)
    await store.unavailable(is_away)
    for _ in range(FAILURES_TO_OPEN - 2):
        await store.unavailable(operation, timeout=0.01)
    assert store.circuit() is Circuit.OPEN


async def test_a_client_that_gives_a_future_of_its_own_up_is_an_outage_and_no_cancellation(store: Guarded) -> None:
    error = await store.unavailable(gives_up_a_future_of_its_own)
    assert "gave the call up" in error.reason
    assert store.errors("outage") == 1.0


async def test_a_deadline_around_the_guard_stays_the_callers_own() -> None:
    store = Guarded(timeout=60.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await store.guard.call(turns_cancellation_into_an_outage)
    assert store.failures == 0


async def test_after_a_timeout_the_task_is_as_it_was(store: Guarded) -> None:
    await store.unavailable(hangs)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


# --- blocks and nesting --------------------------------------------------------------------------------------


async def test_everything_in_a_block_shares_one_timeout(store: Guarded) -> None:
    async def many_short_waits() -> None:
        async with store.guard.guarded():
            for _ in range(100):
                await asyncio.sleep(TIMEOUT / 4)

    began = time.monotonic()
    with pytest.raises(DependencyUnavailable):
        await many_short_waits()
    assert time.monotonic() - began < TIMEOUT + SLACK
    assert store.errors("timeout") == 1.0


async def test_an_exception_in_a_block_passes_and_is_an_answer(store: Guarded) -> None:
    await store.one_failure_before_opening()
    with pytest.raises(KeyError, match="ours"):
        async with store.guard.guarded():
            raise KeyError("ours")
    await store.one_failure_before_opening()


async def test_an_outage_in_a_block_counts_once(store: Guarded) -> None:
    with pytest.raises(DependencyUnavailable):
        async with store.guard.guarded():
            await is_away()
    assert store.errors("outage") == 1.0


@pytest.mark.parametrize(("operation", "reason"), [(is_away, "outage"), (hangs, "timeout")])
async def test_nested_guards_count_a_failure_once(store: Guarded, operation: Operation, reason: str) -> None:
    with pytest.raises(DependencyUnavailable):
        async with store.guard.guarded(timeout=60.0):
            await store.guard.call(operation)
    assert (store.errors(reason), store.failures) == (1.0, 1.0)


async def test_nested_guards_of_the_same_deadline_count_a_timeout_once(store: Guarded) -> None:
    with pytest.raises(DependencyUnavailable):
        async with store.guard.guarded():
            await store.guard.call(hangs)
    assert (store.errors("timeout"), store.failures) == (1.0, 1.0)


async def test_anothers_failure_inside_a_block_is_not_this_stores() -> None:
    inner, outer = Guarded(), Guarded()
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(DependencyUnavailable):
            async with outer.guard.guarded():
                await inner.guard.call(is_away)
    assert (inner.circuit(), outer.circuit()) == (Circuit.OPEN, Circuit.CLOSED)
    assert outer.failures == 0


async def test_calls_side_by_side_are_judged_each_by_itself(store: Guarded) -> None:
    results = await asyncio.gather(
        *(store.guard.call(operation) for operation in [answers, hangs, is_away, says_no] * 3), return_exceptions=True
    )
    kinds = [result if isinstance(result, str) else type(result).__name__ for result in results]
    assert kinds == ["answer", "DependencyUnavailable", "DependencyUnavailable", "KeyError"] * 3
    assert (store.errors("timeout"), store.errors("outage")) == (3.0, 3.0)


# --- probes --------------------------------------------------------------------------------------------------


async def test_a_probe_tells_that_the_store_answers(store: Guarded) -> None:
    result = await store.guard.probe(answers)
    assert (result.ok, result.circuit, result.error) == (True, Circuit.CLOSED, None)
    assert result.latency >= 0


async def test_a_probe_goes_past_an_open_circuit_and_its_success_closes_it(store: Guarded) -> None:
    await store.open_circuit()
    assert (await store.guard.probe(answers)).circuit is Circuit.CLOSED
    assert await store.guard.call(answers) == "answer"


async def test_a_probe_that_fails_leaves_an_open_circuit_open(store: Guarded) -> None:
    await store.open_circuit()
    result = await store.guard.probe(is_away)
    assert (result.ok, result.circuit) == (False, Circuit.OPEN)


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (is_away, "store is unavailable: StoreAway (connection refused)"),
        (hangs, "store is unavailable: no answer within 0.1 s"),
        (says_no, "store answered with KeyError: 'duplicate'"),
        (gives_up_a_future_of_its_own, "store is unavailable: its client gave the call up"),
        (turns_cancellation_into_an_answer, "store is unavailable: no answer within 0.1 s"),
    ],
)
async def test_a_probe_never_raises_and_names_the_cause_in_one_line(
    store: Guarded, operation: Operation, error: str
) -> None:
    result = await store.guard.probe(operation)
    assert not result.ok
    assert result.error == error


async def test_a_probes_long_story_is_told_in_one_line(store: Guarded) -> None:
    async def rambles() -> None:
        raise ValueError("first\nsecond\n" + "x" * 5_000)

    assert (await store.guard.probe(rambles)).error == "store answered with ValueError: first"


async def test_a_probe_that_is_cancelled_is_cancelled() -> None:
    store = Guarded(timeout=60.0)
    await cancelled(await started(store.guard.probe(hangs)))
    assert store.failures == 0
