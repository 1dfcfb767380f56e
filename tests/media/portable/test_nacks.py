"""What a publisher is asked for again, and when."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from media.portable import nacks
from media.portable.nacks import HOLDOFF, MOST_AT_ONCE, MOST_MISSING, MOST_TRIES, OLDEST, NackList
from media.rtcp import Nack, build

ROUND_TRIP = 0.05


def asked_until(missing: NackList, end: float, *, round_trip: float | None = ROUND_TRIP) -> list[tuple[float, int]]:
    """As the engine does: whenever something is due."""
    asked = []
    while (due := missing.due()) is not None and due <= end:
        asked += [(due, number) for number in missing.collect(due, round_trip)]
    return asked


def test_nothing_is_missing_at_first() -> None:
    missing = NackList()
    assert missing.due() is None
    assert missing.collect(0.0, None) == ()


def test_what_is_overtaken_for_less_than_the_holdoff_is_not_asked_for() -> None:
    missing = NackList()
    missing.missed(7, 8, 10.0)
    assert missing.collect(10.0 + HOLDOFF - 0.001, ROUND_TRIP) == ()
    missing.arrived(7)
    assert missing.collect(10.0 + HOLDOFF, ROUND_TRIP) == (8,)


def test_it_is_asked_for_again_once_a_round_trip() -> None:
    missing = NackList()
    missing.missed(7, 7, 0.0)
    times = [when for when, _ in asked_until(missing, 0.2)]
    assert times == pytest.approx([HOLDOFF, HOLDOFF + ROUND_TRIP, HOLDOFF + 2 * ROUND_TRIP, HOLDOFF + 3 * ROUND_TRIP])


def test_without_a_round_trip_a_tenth_of_a_second_is_taken_for_it() -> None:
    missing = NackList()
    missing.missed(7, 7, 0.0)
    times = [when for when, _ in asked_until(missing, 0.25, round_trip=None)]
    assert times == pytest.approx([0.02, 0.12, 0.22])


def test_ten_times_are_enough() -> None:
    missing = NackList()
    missing.missed(7, 7, 0.0)
    assert len(asked_until(missing, 10.0, round_trip=0.0)) == MOST_TRIES
    assert missing.due() is None


def test_after_a_second_nobody_has_use_for_it() -> None:
    missing = NackList()
    missing.missed(7, 7, 0.0)
    assert max(when for when, _ in asked_until(missing, 10.0, round_trip=0.3)) < OLDEST
    assert len(missing) == 0


def test_a_round_trip_of_a_minute_keeps_nothing_for_a_minute() -> None:
    missing = NackList()
    missing.missed(7, 7, 0.0)
    asked_until(missing, 2 * OLDEST, round_trip=60.0)
    assert len(missing) == 0


def test_too_many_are_all_forgotten_and_that_is_said() -> None:
    missing = NackList()
    assert missing.missed(1, MOST_MISSING, 0.0)
    assert not missing.missed(MOST_MISSING + 2, MOST_MISSING + 2, 0.0)
    assert (len(missing), missing.due()) == (0, None)


def test_the_longest_packet_fits_any_path() -> None:
    missing = NackList()
    # No two of them share the 16 bits that follow a number on the wire.
    for number in range(0, 20 * MOST_AT_ONCE, 20):
        missing.missed(number, number, 0.0)
    asked = missing.collect(HOLDOFF, None)
    assert len(asked) == MOST_AT_ONCE
    assert len(build([Nack(1, 2, asked)])) <= 1200


def test_those_that_found_no_place_in_one_packet_are_due_at_once() -> None:
    missing = NackList()
    missing.missed(0, MOST_AT_ONCE + 9, 0.0)
    missing.collect(HOLDOFF, None)
    assert missing.due() == HOLDOFF
    assert missing.collect(HOLDOFF, None) == tuple(range(MOST_AT_ONCE, MOST_AT_ONCE + 10))


class NackListMachine(RuleBasedStateMachine):
    """Beside a plain list of what is missing, with the times at which each was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.missing = NackList()
        self.now = 0.0
        self.next = 0
        self.since: dict[int, float] = {}
        self.asked: dict[int, list[float]] = {}

    @rule(skipped=st.integers(0, 60), lost=st.integers(1, 60))
    def lose(self, skipped: int, lost: int) -> None:
        first = self.next + skipped
        self.next = first + lost
        if self.missing.missed(first, self.next - 1, self.now):
            self.since.update(dict.fromkeys(range(first, self.next), self.now))
        else:
            self.since.clear()

    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, self.next))
        self.missing.arrived(number)
        self.since.pop(number, None)

    @rule(seconds=st.floats(0, 0.3))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(round_trip=st.none() | st.floats(0, 2))
    def collect(self, round_trip: float | None) -> None:
        asked = self.missing.collect(self.now, round_trip)
        assert list(asked) == sorted(set(asked))
        assert len(asked) <= MOST_AT_ONCE
        for number in asked:
            times = self.asked.setdefault(number, [])
            assert HOLDOFF - 1e-9 <= self.now - self.since[number] < OLDEST
            assert not times or self.now - times[-1] >= nacks.SHORTEST_ROUND_TRIP - 1e-9
            times.append(self.now)
            assert len(times) <= MOST_TRIES

    @invariant()
    def it_knows_no_more_than_is_missing(self) -> None:
        assert len(self.missing) <= min(len(self.since), MOST_MISSING)
        assert all(number in self.since for number in range(self.next) if number in self.missing)

    @invariant()
    def what_is_young_is_not_forgotten(self) -> None:
        young = (number for number, since in self.since.items() if self.now - since < HOLDOFF)
        assert all(number in self.missing for number in young)

    @invariant()
    def whatever_has_waited_is_due(self) -> None:
        if len(self.missing):
            assert (due := self.missing.due()) is not None
            assert due <= max(self.now, max(self.since.values()) + HOLDOFF) + OLDEST


TestNackListMachine = NackListMachine.TestCase
