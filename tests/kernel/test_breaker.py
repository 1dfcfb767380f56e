"""The circuit breaker against a model that remembers everything that happened and decides anew each time."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from kernel.breaker import Circuit, CircuitBreaker

THRESHOLD, PAUSE, LONGEST = 3, 8.0, 40.0
PROBE_TIMEOUT = 5.0
# Eighths of a second are exact in binary: the model may compare times for equality.
TICKS = st.integers(0, 200).map(lambda eighths: eighths / 8)


def breaker() -> CircuitBreaker:
    return CircuitBreaker(threshold=THRESHOLD, pause=PAUSE, longest_pause=LONGEST)


class BreakerModel(RuleBasedStateMachine):
    """Callers come, and later tell how it went, in any order; some never do."""

    def __init__(self) -> None:
        super().__init__()
        self.real = breaker()
        self.now = 100.0
        self.failures_in_a_row = 0
        self.opened: float | None = None
        self.failed_probes = 0
        self.probing_until: float | None = None
        self.calls = 0

    @property
    def pause(self) -> float:
        return min(PAUSE * 2.0**self.failed_probes, LONGEST)

    def expected(self) -> Circuit:
        if self.opened is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self.now < self.opened + self.pause else Circuit.HALF_OPEN

    @rule(seconds=TICKS)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_call_asks(self) -> None:
        state = self.expected()
        probe_is_out = self.probing_until is not None and self.now < self.probing_until
        admitted = self.real.admits(self.now, probe_timeout=PROBE_TIMEOUT)
        assert admitted == (state is Circuit.CLOSED or (state is Circuit.HALF_OPEN and not probe_is_out))
        if admitted:
            self.calls += 1
            if state is Circuit.HALF_OPEN:
                self.probing_until = self.now + PROBE_TIMEOUT

    @precondition(lambda self: self.calls)
    @rule()
    def a_call_is_lost(self) -> None:
        self.calls -= 1

    @precondition(lambda self: self.calls)
    @rule()
    def a_call_succeeds(self) -> None:
        self.calls -= 1
        self.real.succeeded()
        self.failures_in_a_row, self.failed_probes = 0, 0
        self.opened = self.probing_until = None

    @precondition(lambda self: self.calls)
    @rule()
    def a_call_fails(self) -> None:
        self.calls -= 1
        state = self.expected()
        self.real.failed(self.now)
        self.failures_in_a_row += 1
        if state is Circuit.HALF_OPEN:
            self.failed_probes += 1
            self.opened, self.probing_until = self.now, None
        elif state is Circuit.CLOSED and self.failures_in_a_row >= THRESHOLD:
            self.opened = self.now

    @invariant()
    def the_states_agree(self) -> None:
        assert self.real.state(self.now) is self.expected()

    @invariant()
    def retrying_when_told_to_finds_it_half_open(self) -> None:
        wait = self.real.retry_after(self.now)
        assert 0 <= wait <= LONGEST
        assert (wait > 0) == (self.expected() is Circuit.OPEN)
        if wait:
            assert self.real.state(self.now + wait) is Circuit.HALF_OPEN


def test_any_order_of_events_agrees_with_the_model() -> None:
    run_state_machine_as_test(BreakerModel, settings=settings(max_examples=150, stateful_step_count=60, deadline=None))


def opened_at(now: float) -> CircuitBreaker:
    circuit = breaker()
    for _ in range(THRESHOLD):
        assert circuit.admits(now, probe_timeout=PROBE_TIMEOUT)
        circuit.failed(now)
    return circuit


def test_it_opens_after_failures_in_a_row_only() -> None:
    circuit = breaker()
    for _ in range(10):
        for _ in range(THRESHOLD - 1):
            circuit.failed(0.0)
        circuit.succeeded()
        assert circuit.state(0.0) is Circuit.CLOSED
    for _ in range(THRESHOLD):
        circuit.failed(0.0)
    assert circuit.state(0.0) is Circuit.OPEN


def test_half_open_lets_exactly_one_of_a_crowd_through() -> None:
    circuit = opened_at(0.0)
    assert not any(circuit.admits(7.99, probe_timeout=PROBE_TIMEOUT) for _ in range(100))
    assert sum(circuit.admits(8.0, probe_timeout=PROBE_TIMEOUT) for _ in range(100)) == 1


def test_a_probe_that_never_reports_back_makes_room_after_its_timeout() -> None:
    circuit = opened_at(0.0)
    assert circuit.admits(8.0, probe_timeout=PROBE_TIMEOUT)
    assert not circuit.admits(12.9, probe_timeout=PROBE_TIMEOUT)
    assert circuit.admits(13.0, probe_timeout=PROBE_TIMEOUT)


def test_the_pause_doubles_up_to_its_bound_and_starts_over_after_a_success() -> None:
    circuit = opened_at(0.0)
    now, pauses = 0.0, []
    for _ in range(6):
        pauses.append(circuit.retry_after(now))
        now += pauses[-1]
        assert circuit.admits(now, probe_timeout=PROBE_TIMEOUT)
        circuit.failed(now)
    assert pauses == [8.0, 16.0, 32.0, 40.0, 40.0, 40.0]
    circuit.succeeded()
    for _ in range(THRESHOLD):
        circuit.failed(now)
    assert circuit.retry_after(now) == 8.0


def test_a_straggler_of_the_outage_does_not_prolong_the_pause() -> None:
    circuit = opened_at(0.0)
    circuit.failed(4.0)
    assert circuit.retry_after(4.0) == pytest.approx(4.0)
