"""When transport-wide feedback is sent, and what it says of early, late, double and lost packets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from media.feedback import BUSY, LATEST, MEMORY, MOST_KEPT, RESTART_AFTER, SOONEST, FeedbackCollector
from media.rtcp import TransportFeedback, build, parse


def collector(*sequences: int, now: float = 0.0) -> FeedbackCollector:
    made = FeedbackCollector(1)
    for sequence in sequences:
        assert made.arrived(sequence, 2, now)
    return made


def said(packets: tuple[TransportFeedback, ...]) -> dict[int, bool]:
    """Whether each sequence number that is spoken of came."""
    statuses: dict[int, bool] = {}
    for packet in packets:
        came = {arrival.offset for arrival in packet.arrivals}
        for offset in range(packet.status_count):
            statuses[(packet.base_sequence + offset) & 0xFFFF] = offset in came
    return statuses


def test_nothing_is_due_before_something_came() -> None:
    idle = collector()
    assert idle.due() is None
    assert idle.collect(100.0) == ()


def test_the_first_feedback_comes_soon() -> None:
    first = collector(5, now=1.0)
    assert first.due() == 1.0 + SOONEST
    assert first.collect(1.0 + SOONEST / 2) == ()
    (packet,) = first.collect(1.0 + SOONEST)
    assert (packet.sender_ssrc, packet.media_ssrc, packet.feedback_count) == (1, 2, 0)
    assert list(packet.times()) == [(5, 4000)]
    assert first.due() is None


def test_a_busy_sender_hears_at_the_short_interval_and_a_quiet_one_at_the_long() -> None:
    busy = collector(0, now=0.0)
    busy.collect(1.0)
    busy.arrived(1, 2, 1.01)
    assert busy.due() == 1.01 + LATEST
    for sequence in range(2, BUSY + 1):
        busy.arrived(sequence, 2, 1.02)
    assert busy.due() == 1.0 + SOONEST


def test_a_gap_between_two_feedbacks_is_lost() -> None:
    one = collector(0xFFFE)
    one.collect(1.0)
    one.arrived(1, 2, 1.0)
    (packet,) = one.collect(2.0)
    assert said((packet,)) == {0xFFFF: False, 0: False, 1: True}
    assert packet.feedback_count == 1


def test_a_late_packet_is_reported_again_with_its_neighbours() -> None:
    one = collector(10, 12, 13)
    assert said(one.collect(0.1)) == {10: True, 11: False, 12: True, 13: True}
    one.arrived(11, 2, 0.2)
    one.arrived(14, 2, 0.2)
    assert said(one.collect(0.4)) == {11: True, 12: True, 13: True, 14: True}


def test_packets_that_came_in_another_order_have_negative_deltas() -> None:
    one = FeedbackCollector(1)
    one.arrived(2, 2, 1.0)
    one.arrived(1, 2, 1.01)
    (packet,) = one.collect(2.0)
    assert list(packet.times()) == [(1, 4040), (2, 4000)]
    assert parse(build([packet])).packets == (packet,)


def test_a_duplicate_is_counted_and_its_first_arrival_stands() -> None:
    one = collector(7)
    assert not one.arrived(7, 2, 5.0)
    assert one.duplicates == 1
    assert [list(packet.times()) for packet in one.collect(6.0)] == [[(7, 0)]]


def test_what_is_later_than_memory_is_left_out() -> None:
    one = collector(10, 12)
    one.collect(MEMORY + 1.0)
    assert not one.arrived(11, 2, MEMORY + 1.0)
    assert not one.arrived(12, 2, MEMORY + 1.0)
    assert (one.late, one.duplicates) == (2, 0)
    assert one.due() is None


def test_a_sender_that_begins_anew_is_followed() -> None:
    one = collector(30000, now=0.0)
    one.collect(5.0)
    taken = [one.arrived(100 + index, 2, 6.0) for index in range(RESTART_AFTER + 2)]
    assert taken == [False] * (RESTART_AFTER - 1) + [True] * 3
    first = 100 + RESTART_AFTER - 1
    assert said(one.collect(7.0)) == {first: True, first + 1: True, first + 2: True}


def test_late_packets_among_timely_ones_restart_nothing() -> None:
    one = collector(30000, now=0.0)
    one.collect(5.0)
    for index in range(RESTART_AFTER * 2):
        assert not one.arrived(100, 2, 6.0)
        assert one.arrived(30001 + index, 2, 6.0)
    assert one.late == RESTART_AFTER * 2


def test_what_is_kept_is_bounded_and_what_is_left_out_is_not_called_lost() -> None:
    one = collector(*range(MOST_KEPT + 10))
    assert one.overflowed == 10
    statuses = said(one.collect(1.0))
    assert statuses == dict.fromkeys(range(10, MOST_KEPT + 10), True)


def test_many_arrivals_are_split_over_packets_that_fit() -> None:
    one = collector(*range(2, 8000, 4)[:2000])
    packets = one.collect(1.0)
    assert len(packets) > 1
    assert [packet.feedback_count for packet in packets] == list(range(len(packets)))
    assert all(len(build([packet])) <= 1200 for packet in packets)
    assert sum(said(packets).values()) == 2000


@given(
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.floats(0, 0.3)), max_size=80),
)
def test_whatever_arrives_can_be_said(steps: list[tuple[int, float]]) -> None:
    one = FeedbackCollector(1)
    now = 1000.0
    for sequence, pause in steps:
        now += pause
        taken = one.arrived(sequence, 2, now)
        due = one.due()
        assert not taken or due is not None
        for packet in one.collect(now):
            assert parse(build([packet])).packets == (packet,)


@given(st.integers(0, 0xFFFF), st.lists(st.booleans(), min_size=1, max_size=300))
def test_a_stream_in_order_is_reported_as_it_came(first: int, came: list[bool]) -> None:
    one = FeedbackCollector(1)
    one.arrived(first, 2, 0.0)
    packets: list[TransportFeedback] = []
    for index, arrives in enumerate(came, 1):
        if arrives:
            one.arrived((first + index) & 0xFFFF, 2, index * 0.005)
        packets += one.collect(index * 0.005)
    packets += one.collect(1000.0)
    last = max((index for index, arrives in enumerate(came, 1) if arrives), default=0)
    expected = {(first + index) & 0xFFFF: index == 0 or came[index - 1] for index in range(last + 1)}
    assert said(tuple(packets)) == expected
