"""adapters.memory.bucket: the arithmetic of token buckets."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.bucket import TOLERANCE, take

CAPACITIES = st.integers(1, 1_000)
RATES = st.floats(0.001, 1_000)
START = 1_750_000_000.0


@given(CAPACITIES, RATES, st.lists(st.tuples(st.floats(0, 100), st.integers(1, 5)), max_size=80))
def test_no_stretch_of_time_yields_more_than_the_capacity_and_what_flowed_in(
    capacity: int, per_second: float, requests: list[tuple[float, int]]
) -> None:
    now = full_at = START
    taken: list[tuple[float, int]] = []
    for pause, cost in requests:
        now += pause
        full_at, allowance = take(full_at, now, capacity=capacity, per_second=per_second, cost=min(cost, capacity))
        if allowance.allowed:
            taken.append((now, min(cost, capacity)))
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            flowed = (taken[last][0] - taken[first][0]) * per_second
            assert sum(cost for _, cost in taken[first : last + 1]) <= capacity + flowed + 2 * TOLERANCE


@given(CAPACITIES, RATES, st.lists(st.floats(0, 10), max_size=80))
def test_whoever_comes_back_when_told_is_served(capacity: int, per_second: float, pauses: list[float]) -> None:
    now = full_at = START
    for pause in pauses:
        now += pause
        full_at, allowance = take(full_at, now, capacity=capacity, per_second=per_second, cost=1)
        if not allowance.allowed:
            now += allowance.retry_after
            full_at, allowance = take(full_at, now, capacity=capacity, per_second=per_second, cost=1)
            assert allowance.allowed


@given(st.floats(0, 2e9), st.floats(1e9, 2e9), CAPACITIES, RATES)
def test_answers_stay_within_their_bounds_whatever_was_stored(
    full_at: float, now: float, capacity: int, per_second: float
) -> None:
    stored, allowance = take(full_at, now, capacity=capacity, per_second=per_second, cost=1)
    assert 0 <= allowance.remaining < capacity or not allowance.allowed
    assert 0 <= allowance.full_after <= (capacity + TOLERANCE) / per_second * (1 + 1e-9)
    assert allowance.allowed == (allowance.retry_after == 0)
    assert math.isclose(stored, now + allowance.full_after)


def test_a_clock_set_back_empties_a_bucket_for_no_longer_than_it_takes_to_fill() -> None:
    full_at, _ = take(START, START, capacity=10, per_second=1, cost=1)
    full_at, refused = take(full_at, START - 3_600, capacity=10, per_second=1, cost=1)
    assert not refused.allowed
    _, allowed = take(full_at, START - 3_600 + 1, capacity=10, per_second=1, cost=1)
    assert allowed.allowed


def test_a_limit_of_a_minute_lets_through_exactly_what_it_says() -> None:
    now = full_at = START
    allowed = 0
    for _ in range(6_000):
        full_at, allowance = take(full_at, now, capacity=5, per_second=5 / 60, cost=1)
        allowed += allowance.allowed
        now += 0.1
    assert allowed == 5 + 10 * 5 - 1
