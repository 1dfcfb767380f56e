"""Numbers of a stream beyond 16 bits, each once, and packets that wait for others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from media.portable.held import HELD_FOR, MOST_HELD, Held
from media.portable.streams import MOST_AHEAD_BY_REPAIR, WINDOW, Numbers, Unplaced
from media.reports import MAX_DROPOUT


def begun(sequence: int = 100) -> Numbers:
    numbers = Numbers()
    numbers.place(sequence)
    return numbers


class TestNumbers:
    def test_the_lowest_bits_are_those_on_the_wire(self) -> None:
        numbers = Numbers()
        first = numbers.place(0xFFFE)
        assert isinstance(first, int)
        assert [numbers.place(sequence) for sequence in (0xFFFF, 0, 1)] == [first + 1, first + 2, first + 3]
        assert first & 0xFFFF == 0xFFFE

    def test_what_was_overtaken_by_the_first_is_below_it_and_above_zero(self) -> None:
        numbers = Numbers()
        first = numbers.place(0)
        assert isinstance(first, int)
        assert numbers.place(0xFFFF) == first - 1 > 0

    def test_each_is_taken_once(self) -> None:
        numbers = begun(100)
        numbers.place(103)
        assert numbers.place(103) is Unplaced.DUPLICATE
        assert isinstance(numbers.place(101), int)
        assert numbers.place(101) is Unplaced.DUPLICATE
        assert numbers.place(100) is Unplaced.DUPLICATE

    @pytest.mark.parametrize("distance", [MAX_DROPOUT, 1 << 15, -WINDOW])
    def test_one_from_far_away_is_not_taken(self, distance: int) -> None:
        numbers = begun(100)
        assert numbers.place((100 + distance) & 0xFFFF) is Unplaced.JUMP
        assert numbers.highest & 0xFFFF == 100

    @pytest.mark.parametrize("distance", [MAX_DROPOUT - 1, 1 - WINDOW])
    def test_one_that_is_almost_as_far_is(self, distance: int) -> None:
        assert isinstance(begun(100).place((100 + distance) & 0xFFFF), int)

    @given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
    def test_another_timeline_is_half_a_turn_above_the_one_before(self, old: int, new: int) -> None:
        numbers = begun(old)
        before = numbers.highest
        after = numbers.begin(new)
        assert after & 0xFFFF == new
        assert after - before >= 1 << 15
        assert numbers.place(new) is Unplaced.DUPLICATE
        assert numbers.place((new + 1) & 0xFFFF) == after + 1

    @pytest.mark.parametrize(
        ("distance", "near"),
        [
            (0, True),
            (1 - WINDOW, True),
            (-WINDOW, False),
            (MOST_AHEAD_BY_REPAIR, True),
            (MOST_AHEAD_BY_REPAIR + 1, False),
        ],
    )
    def test_repairs_are_of_what_was_sent_lately(self, distance: int, near: bool) -> None:
        assert begun(100).is_near((100 + distance) & 0xFFFF) is near

    def test_before_the_first_packet_there_is_nothing_to_repair(self) -> None:
        assert not Numbers().is_near(0)


class NumbersMachine(RuleBasedStateMachine):
    """Beside a sender that counts without end, on a network that loses, reorders and doubles."""

    @initialize(first=st.integers(0, 0xFFFF))
    def begin(self, first: int) -> None:
        self.numbers = Numbers()
        self.sent = first
        placed = self.numbers.place(first)
        assert isinstance(placed, int)
        self.shift = placed - first
        self.highest = first
        self.taken = {first}

    @rule(ahead=st.one_of(st.integers(1, 20), st.integers(1, MAX_DROPOUT - 1)))
    def newer(self, ahead: int) -> None:
        self.highest += ahead
        assert self.numbers.place(self.highest & 0xFFFF) == self.highest + self.shift
        self.taken.add(self.highest)

    @rule(behind=st.one_of(st.integers(0, 20), st.integers(0, WINDOW - 1)))
    def older(self, behind: int) -> None:
        number = self.highest - behind
        placed = self.numbers.place(number & 0xFFFF)
        assert placed == (Unplaced.DUPLICATE if number in self.taken else number + self.shift)
        self.taken.add(number)

    @rule(away=st.integers(MAX_DROPOUT, 0x10000 - WINDOW))
    def foreign(self, away: int) -> None:
        assert self.numbers.place((self.highest + away) & 0xFFFF) is Unplaced.JUMP


TestNumbersMachine = NumbersMachine.TestCase


class TestHeld:
    def test_what_was_waited_for_frees_those_that_waited_in_their_order(self) -> None:
        held: Held[str] = Held()
        held.add("c", 3, "start", 0.0)
        held.add("x", 2, "other", 0.1)
        held.add("a", 1, "start", 0.2)
        assert held.take("start") == ["a", "c"]
        assert held.take("start") == []
        assert len(held) == 1

    def test_the_oldest_give_way(self) -> None:
        held: Held[int] = Held()
        assert [held.add(number, number, "start", 0.0) for number in range(MOST_HELD)] == [[]] * MOST_HELD
        assert held.add(MOST_HELD, MOST_HELD, "start", 0.0) == [0]
        assert len(held) == MOST_HELD

    def test_nobody_waits_for_ever(self) -> None:
        held: Held[int] = Held()
        held.add(1, 1, "start", 0.0)
        held.add(2, 2, "start", 0.1)
        assert held.expire(HELD_FOR) == []
        assert held.expire(HELD_FOR + 0.05) == [1]
        assert held.add(3, 3, "start", 10.0) == [2]
