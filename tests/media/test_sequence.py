"""Serial arithmetic, and which number a slot sends for which of its sources'."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.sequence import (
    SEQUENCE_BITS,
    TIMESTAMP_BITS,
    Late,
    Origin,
    Sent,
    SequenceMap,
    Turn,
    Unwrapper,
    distance,
    sequence_distance,
    timestamp_distance,
)

CAMERA = Turn(source=1, first=100, timestamp_shift=-90_000)
SCREEN = Turn(source=2, first=7_000, timestamp_shift=45_000)


def opened(first: int = 1000, *, capacity: int = 256) -> SequenceMap:
    slot = SequenceMap(first, capacity=capacity)
    slot.switch(CAMERA)
    return slot


def number(of: Sent | Late) -> int:
    assert isinstance(of, Sent), of
    return of.number


class TestSerialArithmetic:
    @pytest.mark.parametrize(
        ("newer", "older", "expected"),
        [
            (1, 0, 1),
            (0, 65535, 1),
            (65535, 0, -1),
            (32767, 0, 32767),
            (32768, 0, -32768),
            (0, 32768, -32768),
            (5, 5, 0),
        ],
    )
    def test_sequence_numbers_wrap_at_16_bits(self, newer: int, older: int, expected: int) -> None:
        assert sequence_distance(newer, older) == expected

    def test_timestamps_wrap_at_32_bits(self) -> None:
        assert timestamp_distance(959, (1 << 32) - 1) == 960
        assert timestamp_distance((1 << 32) - 1, 959) == -960

    def test_rfc_1982_section_5_1_in_two_bits(self) -> None:
        assert [distance(n, 0, 2) > 0 for n in range(4)] == [False, True, False, False]
        assert distance(0, 3, 2) > 0

    @given(st.integers(0, 0xFFFFFFFF), st.integers(-(1 << 31), (1 << 31) - 1))
    def test_a_step_is_measured_back(self, start: int, step: int) -> None:
        assert timestamp_distance((start + step) & 0xFFFFFFFF, start) == step


class TestUnwrapping:
    @given(st.integers(0, 65535), st.lists(st.integers(-32_000, 32_000), max_size=60))
    def test_steps_shorter_than_half_the_circle_are_followed(self, first: int, steps: list[int]) -> None:
        unwrapper = Unwrapper(SEQUENCE_BITS)
        highest = unwrapper.unwrap(first)
        for step in steps:
            true = highest + step
            assert unwrapper.unwrap(true & 0xFFFF) == true
            highest = max(highest, true)
        assert unwrapper.highest == highest

    def test_a_late_number_moves_nothing(self) -> None:
        unwrapper = Unwrapper(TIMESTAMP_BITS)
        assert [unwrapper.unwrap(n) for n in (5, 0xFFFFFFFF, 6)] == [5, -1, 6]

    def test_a_peek_moves_nothing(self) -> None:
        unwrapper = Unwrapper(SEQUENCE_BITS)
        assert unwrapper.peek(9) == 9
        assert unwrapper.highest is None
        unwrapper.unwrap(65535)
        assert unwrapper.peek(3) == 65539
        assert unwrapper.highest == 65535


class TestOneSource:
    def test_numbers_go_on_from_the_first_and_keep_the_gaps_of_loss(self) -> None:
        slot = opened()
        assert [number(slot.send(1, n)) for n in (100, 101, 104)] == [1000, 1001, 1004]
        assert slot.next_number == 1005

    def test_a_late_packet_and_a_repair_have_the_number_that_was_kept(self) -> None:
        slot = opened()
        for n in (100, 104):
            slot.send(1, n)
        assert [number(slot.send(1, n)) for n in (102, 104, 102)] == [1002, 1004, 1002]
        assert slot.next_number == 1005

    def test_a_source_that_has_no_turn_gets_no_number(self) -> None:
        assert SequenceMap(0).send(1, 5) is Late.OUTSIDE
        assert opened().send(2, 7_000) is Late.OUTSIDE

    def test_what_came_before_the_turn_gets_no_number(self) -> None:
        assert opened().send(1, 99) is Late.OUTSIDE

    def test_what_is_more_than_half_the_circle_back_is_forgotten(self) -> None:
        slot = opened()
        slot.send(1, 100)
        slot.send(1, 100 + 32_768)
        assert slot.send(1, 100) is Late.FORGOTTEN
        assert number(slot.send(1, 101)) == 1001


class TestClosedGaps:
    def test_neighbours_of_what_was_left_out_become_neighbours(self) -> None:
        slot = opened()
        slot.send(1, 100)
        assert all(slot.close(1, n) for n in (101, 102, 103))
        assert number(slot.send(1, 104)) == 1001

    def test_a_packet_behind_a_closed_gap_is_recognised(self) -> None:
        slot = opened()
        slot.send(1, 100)
        slot.close(1, 101)
        assert slot.send(1, 101) is Late.CLOSED
        slot.send(1, 102)
        assert slot.send(1, 101) is Late.CLOSED

    def test_a_gap_at_the_start_of_a_turn_takes_no_number(self) -> None:
        slot = opened()
        slot.close(1, 100)
        assert number(slot.send(1, 101)) == 1000
        assert slot.send(1, 100) is Late.CLOSED

    def test_what_was_lost_before_a_closed_gap_keeps_its_number(self) -> None:
        slot = opened()
        slot.send(1, 100)
        slot.close(1, 103)
        assert number(slot.send(1, 104)) == 1003
        assert [number(slot.send(1, n)) for n in (101, 102)] == [1001, 1002]

    def test_padding_out_of_order_closes_as_long_as_nothing_later_was_sent(self) -> None:
        slot = opened()
        slot.send(1, 100)
        assert all(slot.close(1, n) for n in (103, 101, 105, 102))
        assert [number(slot.send(1, n)) for n in (106, 104)] == [1002, 1001]

    def test_padding_in_reverse_closes_one_gap(self) -> None:
        slot = opened()
        slot.send(1, 100)
        assert all(slot.close(1, n) for n in (103, 102, 101))
        assert len(slot._closed) == 1
        assert number(slot.send(1, 104)) == 1001

    def test_a_number_that_later_ones_have_passed_stays_open(self) -> None:
        slot = opened()
        slot.send(1, 100)
        slot.send(1, 102)
        assert slot.close(1, 101) is False
        assert number(slot.send(1, 101)) == 1001

    def test_padding_that_comes_again_is_still_closed(self) -> None:
        slot = opened()
        slot.send(1, 100)
        slot.close(1, 101)
        slot.send(1, 102)
        assert slot.close(1, 101) is True
        assert slot.close(1, 99) is True
        assert slot.close(2, 7_000) is True
        assert SequenceMap(0).close(1, 1) is True
        assert slot.next_number == 1002

    def test_a_source_of_nothing_but_padding_takes_no_room(self) -> None:
        slot = opened()
        slot.send(1, 100)
        for n in range(101, 5000):
            slot.close(1, n)
        assert len(slot._closed) == 1
        assert number(slot.send(1, 5000)) == 1001

    def test_padding_with_losses_takes_bounded_room(self) -> None:
        slot = opened(capacity=8)
        slot.send(1, 100)
        for n in range(101, 1000, 2):
            slot.close(1, n)
        assert len(slot._closed) <= 8
        assert len(slot._runs) <= 8
        assert slot.send(1, 101) is Late.FORGOTTEN

    def test_old_gaps_are_forgotten_and_late_packets_behind_them_dropped(self) -> None:
        slot = opened(capacity=4)
        for n in range(100, 140, 2):
            slot.send(1, n)
            slot.close(1, n + 1)
        assert slot.send(1, 100) is Late.FORGOTTEN
        assert slot.origin(1000) is None
        assert number(slot.send(1, 138)) == 1019
        assert slot.origin(1019) == Origin(138, CAMERA)


class TestSwitches:
    def test_the_next_source_follows_the_last_number_sent(self) -> None:
        slot = opened()
        slot.send(1, 100)
        slot.switch(SCREEN)
        assert slot.turn is SCREEN
        assert slot.send(2, 7_000) == Sent(1001, SCREEN)

    def test_a_late_packet_of_the_former_source_keeps_its_number(self) -> None:
        slot = opened()
        for n in (100, 102):
            slot.send(1, n)
        slot.switch(SCREEN)
        slot.send(2, 7_000)
        assert slot.send(1, 101) == Sent(1001, CAMERA)
        assert slot.send(1, 103) is Late.OUTSIDE

    def test_a_gap_left_at_the_end_of_a_turn_leaves_no_hole(self) -> None:
        slot = opened()
        slot.send(1, 100)
        slot.close(1, 102)
        slot.switch(SCREEN)
        assert number(slot.send(2, 7_000)) == 1001

    def test_a_source_that_comes_back_has_two_turns(self) -> None:
        slot = opened()
        slot.send(1, 100)
        slot.switch(SCREEN)
        slot.send(2, 7_000)
        again = Turn(source=1, first=500)
        slot.switch(again)
        assert slot.send(1, 500) == Sent(1002, again)
        assert slot.send(1, 100) == Sent(1000, CAMERA)
        assert slot.send(1, 300) is Late.OUTSIDE

    def test_a_turn_in_which_nothing_was_sent_leaves_no_trace(self) -> None:
        slot = opened()
        slot.switch(SCREEN)
        assert number(slot.send(2, 7_000)) == 1000
        assert slot.send(1, 100) is Late.OUTSIDE

    def test_the_shift_of_timestamps_belongs_to_the_turn(self) -> None:
        assert CAMERA.timestamp(89_999) == 0xFFFFFFFF
        assert SCREEN.timestamp(0xFFFFFFFF) == 44_999


class TestRepairs:
    def test_what_the_receiver_asks_for_is_found_across_switches_and_gaps(self) -> None:
        slot = opened(65_534)
        slot.send(1, 100)
        slot.close(1, 101)
        slot.send(1, 102)
        slot.switch(SCREEN)
        slot.send(2, 7_000)
        assert slot.origin(65_534) == Origin(100, CAMERA)
        assert slot.origin(65_535) == Origin(102, CAMERA)
        assert slot.origin(0) == Origin(7_000, SCREEN)

    def test_what_was_never_given_has_no_origin(self) -> None:
        slot = opened()
        assert slot.origin(1000) is None
        slot.send(1, 100)
        assert slot.origin(1001) is None
        assert slot.origin(999) is None
        assert SequenceMap(0).origin(65_535) is None


ACTS = st.lists(
    st.tuples(st.sampled_from(("send", "send", "send", "close", "lose", "late", "switch")), st.integers(1, 12)),
    max_size=120,
)


@given(st.integers(0, 65_535), ACTS)
def test_numbers_are_never_shared_and_never_change(first: int, acts: list[tuple[str, int]]) -> None:
    slot = SequenceMap(first)
    heads = {1: 10, 2: 90_000}
    current = 1
    slot.switch(Turn(1, 10))
    sent: dict[tuple[int, int], int] = {}
    closed: set[tuple[int, int]] = set()
    for act, step in acts:
        head = heads[current]
        if act == "switch":
            current = 3 - current
            slot.switch(Turn(current, heads[current]))
        elif act == "send":
            sent[current, head] = number(slot.send(current, head))
        elif act == "close":
            assert slot.close(current, head)
            closed.add((current, head))
        elif act == "late":
            repeated = slot.send(current, head - step)
            if isinstance(repeated, Sent):
                assert sent.setdefault((current, head - step), repeated.number) == repeated.number
        heads[current] += act in ("send", "close", "lose")
    assert len(set(sent.values())) == len(sent)
    assert_found(slot, sent)
    assert all(isinstance(slot.send(*packet), Late) for packet in closed)


def assert_found(slot: SequenceMap, sent: Mapping[tuple[int, int], int]) -> None:
    for (source, of_source), given_number in sent.items():
        origin = slot.origin(given_number & 0xFFFF)
        assert origin is not None
        assert (origin.turn.source, origin.number) == (source, of_source)
        assert slot.send(source, of_source) == Sent(given_number, origin.turn)


@given(st.lists(st.sampled_from(("send", "close")), max_size=300))
def test_without_loss_numbers_rise_by_one(acts: list[str]) -> None:
    slot = opened(0)
    numbers = []
    for at, act in enumerate(acts):
        if act == "send":
            numbers.append(number(slot.send(1, 100 + at)))
        else:
            slot.close(1, 100 + at)
    assert numbers == list(range(len(numbers)))
