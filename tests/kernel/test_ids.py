"""Ids: in order whatever the clock does, or a refusal."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import DependencyUnavailable
from kernel.ids import (
    MAX_CLOCK_STEP_BACK_MS,
    MAX_PEER_SKEW_MS,
    BufferedRandomness,
    IdGenerator,
    floor_at,
    is_plausible,
    milliseconds_of,
)
from tests.clocks import VirtualClock

IDS_IN_A_MILLISECOND = 4096
LATEST_MS = 1 << 47

MILLISECONDS = st.integers(0, LATEST_MS)
# A clock that runs, stands, and is now and then corrected either way, by less than we ride out.
STEPS = st.lists(st.integers(-900, 2_000) | st.just(0), min_size=1, max_size=200)


def zeros(count: int) -> bytes:
    return bytes(count)


def ones(count: int) -> bytes:
    return b"\xff" * count


@given(STEPS, st.sampled_from([zeros, ones]))
def test_ids_rise_strictly_whatever_the_clock_does(steps: list[int], randomness: Callable[[int], bytes]) -> None:
    clock = VirtualClock()
    ids = IdGenerator(clock, randomness)
    made, behind = [ids.next()], 0
    for step in steps:
        if behind - step < MAX_CLOCK_STEP_BACK_MS:
            behind = max(0, behind - step)
            clock.set_back(-step / 1000)
        made.append(ids.next())
    assert all(earlier < later and earlier.bytes < later.bytes for earlier, later in pairwise(made))
    assert all(item.version == 7 and item.variant == uuid.RFC_4122 for item in made)


def test_an_id_carries_its_millisecond() -> None:
    clock = VirtualClock(1_750_000_000.123)
    assert milliseconds_of(IdGenerator(clock).next()) == 1_750_000_000_123


def test_within_a_millisecond_the_sequence_orders_and_then_borrows_the_next_one() -> None:
    clock = VirtualClock(1_750_000_000.0)
    ids = IdGenerator(clock, ones)
    made = [ids.next() for _ in range(2 * IDS_IN_A_MILLISECOND + 1)]
    assert made == sorted(set(made))
    assert [milliseconds_of(made[place * IDS_IN_A_MILLISECOND]) - 1_750_000_000_000 for place in range(3)] == [0, 1, 2]
    assert milliseconds_of(made[IDS_IN_A_MILLISECOND - 1]) == 1_750_000_000_000


def test_time_that_was_borrowed_is_not_handed_out_again() -> None:
    clock = VirtualClock(1_750_000_000.0)
    ids = IdGenerator(clock, zeros)
    made = [ids.next() for _ in range(IDS_IN_A_MILLISECOND + 5)]
    clock.advance(0.001)
    made += [ids.next() for _ in range(5)]
    assert made == sorted(set(made))


def test_a_clock_set_back_by_ten_seconds_is_ridden_out() -> None:
    clock = VirtualClock()
    ids = IdGenerator(clock)
    before = ids.next()
    clock.set_back(MAX_CLOCK_STEP_BACK_MS / 1000)
    assert ids.next() > before


def test_a_clock_set_back_further_is_refused_until_it_has_caught_up() -> None:
    clock = VirtualClock()
    ids = IdGenerator(clock)
    before = ids.next()
    clock.set_back(10.002)
    for _ in range(2):
        with pytest.raises(DependencyUnavailable, match="clock"):
            ids.next()
    clock.advance(0.002)
    assert ids.next() > before


@given(MILLISECONDS)
def test_milliseconds_survive_the_round_trip(milliseconds: int) -> None:
    floor = floor_at(milliseconds)
    assert milliseconds_of(floor) == milliseconds
    assert floor.version == 7


@given(MILLISECONDS, st.integers(0, (1 << 62) - 1), st.integers(0, IDS_IN_A_MILLISECOND - 1))
def test_the_floor_of_a_millisecond_is_under_every_id_of_it_and_over_all_before(
    milliseconds: int, noise: int, sequence: int
) -> None:
    clock = VirtualClock(0.0)
    clock.advance(milliseconds // 1000 + (milliseconds % 1000 + 0.5) / 1000)
    made = IdGenerator(clock, lambda count: noise.to_bytes(count, "big")).next()
    assert floor_at(milliseconds_of(made)) <= made < floor_at(milliseconds_of(made) + 1)
    within = uuid.UUID(int=floor_at(milliseconds).int | sequence << 64 | noise)
    assert floor_at(milliseconds) <= within
    if milliseconds:
        assert within > floor_at(milliseconds - 1)


@given(st.integers(MAX_PEER_SKEW_MS, 1 << 42), st.integers(-(1 << 40), 1 << 40))
def test_an_id_of_another_node_is_plausible_up_to_ten_seconds_ahead(now_ms: int, ahead: int) -> None:
    milliseconds = max(0, now_ms + ahead)
    assert is_plausible(floor_at(milliseconds), now_ms / 1000) == (milliseconds <= now_ms + MAX_PEER_SKEW_MS)


@pytest.mark.parametrize(
    "identifier",
    [uuid.UUID(int=0), uuid.UUID(int=(1 << 128) - 1), uuid.uuid4(), uuid.uuid1(), uuid.UUID(int=0x7 << 76)],
    ids=["nil", "max", "version 4", "version 1", "version 7 of another variant"],
)
def test_what_is_no_uuid7_is_not_plausible(identifier: uuid.UUID) -> None:
    assert not is_plausible(identifier, 1_750_000_000.0)


@given(st.integers(1, 64), st.lists(st.integers(0, 200), max_size=50))
def test_buffered_randomness_hands_out_any_count(block: int, counts: list[int]) -> None:
    randomness = BufferedRandomness(block)
    assert [len(randomness(count)) for count in counts] == counts


@pytest.mark.parametrize("block", [1, 15, 16, 17, 4096])
def test_buffered_randomness_never_hands_out_the_same_bytes_twice(block: int) -> None:
    randomness = BufferedRandomness(block)
    handed_out = [randomness(16) for _ in range(2_000)]
    assert len(set(handed_out)) == len(handed_out)
    # Overlapping windows would show as one piece's end in another's beginning.
    assert len({piece[:8] for piece in handed_out} | {piece[8:] for piece in handed_out}) == 2 * len(handed_out)
