"""Transport-wide feedback: each kind of chunk, deltas of both sizes, wraps, and the split over packets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import BadPacket
from media.rtcp import Arrival, Numbering, TransportFeedback, build, parse, split_feedback

WHO = Numbering(sender_ssrc=1, media_ssrc=2, feedback_count=0)


def framed(body: str) -> bytes:
    raw = bytes.fromhex(body)
    raw += bytes(-len(raw) % 4)
    return bytes.fromhex("8fcd") + (2 + len(raw) // 4).to_bytes(2, "big") + bytes.fromhex("0000000100000002") + raw


def parsed(body: str) -> TransportFeedback:
    (packet,) = parse(framed(body)).packets
    assert isinstance(packet, TransportFeedback)
    return packet


def reason(body: str) -> str:
    with pytest.raises(BadPacket) as caught:
        parse(framed(body))
    return caught.value.reason


def offsets(packet: TransportFeedback) -> list[int]:
    return [arrival.offset for arrival in packet.arrivals]


def chunks(feedback: TransportFeedback) -> str:
    """The chunks of what is built of it, as hex, with the deltas."""
    return build([feedback])[20:].hex()


def feedback(count: int, *arrivals: tuple[int, int]) -> TransportFeedback:
    return TransportFeedback(1, 2, 0, count, 0, 0, tuple(Arrival(*arrival) for arrival in arrivals))


def test_the_draft_s_run_of_lost_ones() -> None:
    # Section 3.1.3, first example: 221 packets not received.
    assert parsed("0000 00dd 000000 00 00dd") == feedback(221)


def test_the_draft_s_vector_of_single_bits() -> None:
    # Section 3.1.4, first example: 1 lost, 5 received, 3 lost, 3 received, 2 lost.
    assert offsets(parsed("0000 000e 000000 00 9f1c" + "00" * 8)) == [1, 2, 3, 4, 5, 9, 10, 11]


def test_a_vector_of_two_bits_has_deltas_of_both_sizes() -> None:
    # Lost, large, small, small, lost, small, lost.
    packet = parsed("0000 0007 000000 00 c944 ffff 01 02 03")
    assert packet == feedback(7, (1, -1), (2, 1), (3, 2), (5, 3))
    assert chunks(packet) == "c944ffff01020300"


def test_a_run_of_large_deltas() -> None:
    packet = parsed("0000 0002 000000 00 4002 7fff 8000")
    assert packet == feedback(2, (0, 0x7FFF), (1, -0x8000))


def test_the_draft_s_symbol_that_is_reserved_is_refused() -> None:
    # Section 3.1.3, second example, and as the second symbol of the second example of section 3.1.4.
    assert reason("0000 0018 000000 00 6018") == "rtcp_transport_symbol"
    assert reason("0000 0007 000000 00 cd50" + "00" * 8) == "rtcp_transport_symbol"


def test_the_last_chunk_may_say_more_than_the_count() -> None:
    assert offsets(parsed("0000 0002 000000 00 bfff 0101")) == [0, 1]
    assert offsets(parsed("0000 0002 000000 00 3fff 0101")) == [0, 1]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("", "rtcp_transport_length"),
        ("0000 0001", "rtcp_transport_length"),
        ("0000 0000 000000 00", "rtcp_transport_empty"),
        ("0000 0001 000000 00", "rtcp_transport_length"),
        ("0000 0003 000000 00 2003 0000", "rtcp_transport_length"),
        ("0000 0002 000000 00 4002 0000", "rtcp_transport_length"),
        ("0000 ffff 000000 00 3fff 3fff", "rtcp_transport_length"),
        ("0000 ffff 000000 00 1fff 1fff", "rtcp_transport_length"),
        # A run of none goes nowhere: the bytes end first.
        ("0000 0001 000000 00 0000 0000", "rtcp_transport_length"),
    ],
)
def test_counts_that_the_bytes_do_not_bear_out_are_refused(body: str, word: str) -> None:
    assert reason(body) == word


def test_a_padding_of_three_bytes_as_libwebrtc_writes_it() -> None:
    raw = bytes.fromhex("afcd0006 00000001 00000002 00640003 000a0105 20030102 04000003")
    (packet,) = parse(raw).packets
    assert packet == TransportFeedback(1, 2, 100, 3, 0x000A01, 5, (Arrival(0, 1), Arrival(1, 2), Arrival(2, 4)))


def test_times_add_up_from_the_reference_and_numbers_wrap() -> None:
    packet = TransportFeedback(1, 2, 0xFFFF, 3, -1, 0, (Arrival(0, 6), Arrival(2, -2)))
    assert list(packet.times()) == [(0xFFFF, -250), (1, -252)]
    assert parse(build([packet])).packets == (packet,)


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (feedback(3, (0, 0), (1, 1), (2, 2)), "2003 00 01 02 000000"),
        (feedback(2, (0, 0x100), (1, -1)), "4002 0100 ffff 0000"),
        (feedback(2, (0, 0xFF), (1, 0xFF)), "2002 ff ff"),
        # One bit each is enough for a mix of lost and small ones.
        (feedback(3, (0, 1), (2, 2)), "a800 01 02"),
        (feedback(3, (0, 1), (2, 256)), "d200 01 0100 000000"),
        # Thirteen of the twenty lost ones fit into the first one's vector, the others into the next.
        (feedback(22, (0, 1), (21, 2)), "a000 8040 01 02 0000"),
        # Seven of one kind before a large one are a run.
        (feedback(8, *((index, 0) for index in range(7)), (7, 256)), "2007 4001 00000000000000 0100 000000"),
    ],
)
def test_the_shortest_kind_of_chunk_is_chosen(packet: TransportFeedback, expected: str) -> None:
    assert chunks(packet) == expected.replace(" ", "")


def test_the_longest_gap_takes_eighteen_bytes_of_chunks() -> None:
    packet = feedback(0xFFFF, (0xFFFE, 9))
    assert len(build([packet])) <= 20 + 18 + 4
    assert parse(build([packet])).packets == (packet,)


def test_arrivals_out_of_order_or_beyond_the_count_are_not_built() -> None:
    for packet in (feedback(3, (1, 0), (1, 0)), feedback(3, (2, 0), (1, 0)), feedback(3, (3, 0))):
        with pytest.raises(ValueError, match="ascend"):
            build([packet])


def test_what_was_lost_since_the_last_feedback_stands_before_the_first_that_came() -> None:
    (packet,) = split_feedback(WHO, 0x1FFFE, [(0x20001, 1000)])
    assert (packet.base_sequence, packet.status_count, offsets(packet)) == (0xFFFE, 4, [3])
    assert list(packet.times()) == [(1, 1000)]


def test_a_pause_of_over_eight_seconds_begins_another_packet() -> None:
    first, second = split_feedback(Numbering(1, 2, 255), 5, [(5, 0), (6, 0x7FFF), (7, 0x7FFF + 0x8000)])
    assert (first.feedback_count, second.feedback_count) == (255, 0)
    assert (first.base_sequence, second.base_sequence) == (5, 7)
    assert [*first.times(), *second.times()] == [(5, 0), (6, 0x7FFF), (7, 0xFFFF)]


def test_more_statuses_than_a_packet_counts_begin_another() -> None:
    made = split_feedback(WHO, 0, [(0, 0), (40000, 1), (80000, 2)])
    assert [(packet.base_sequence, packet.status_count) for packet in made] == [(0, 40001), (40001, 40000)]


def test_a_gap_that_no_packet_spans_is_left_out() -> None:
    (packet,) = split_feedback(WHO, 0, [(70000, 0)])
    assert (packet.base_sequence, packet.status_count) == (70000 & 0xFFFF, 1)


def test_nothing_came_nothing_is_said() -> None:
    assert split_feedback(WHO, 0, []) == ()


def test_the_reference_time_wraps_into_its_sign() -> None:
    (packet,) = split_feedback(WHO, 0, [(0, 0x800000 * 256 + 7)])
    assert packet.reference_time == -0x800000
    assert packet.arrivals == (Arrival(0, 7),)


STEPS = st.lists(
    st.tuples(st.integers(1, 3) | st.integers(1, 30000), st.integers(-300, 700) | st.integers(-40000, 40000)),
    min_size=1,
    max_size=120,
)


@given(st.integers(0, 1 << 20), st.integers(0, 5), STEPS, st.integers(60, 1200))
def test_whatever_came_is_said_once_within_the_bytes(
    base: int, lead: int, steps: list[tuple[int, int]], most_bytes: int
) -> None:
    arrivals: list[tuple[int, int]] = []
    number, ticks = base + lead - 1, 1 << 23
    for gap, delta in steps:
        number, ticks = number + gap, ticks + delta
        arrivals.append((number, ticks))
    made = split_feedback(WHO, base, arrivals, most_bytes=most_bytes)
    said: list[tuple[int, int]] = []
    expected = base & 0xFFFF
    for packet in made:
        raw = build([packet])
        assert len(raw) <= most_bytes
        assert parse(raw).packets == (packet,)
        assert packet.base_sequence == expected
        expected = (expected + packet.status_count) & 0xFFFF
        said += packet.times()
    assert said == [(number & 0xFFFF, ticks) for number, ticks in arrivals]


CHUNK_BODIES = st.builds(
    lambda base, count, chunk, rest: (base << 16 | count).to_bytes(4, "big") + bytes(4) + b"".join(chunk) + rest,
    st.integers(0, 0xFFFF),
    st.integers(0, 60) | st.integers(0, 0xFFFF),
    st.lists(st.binary(min_size=2, max_size=2), max_size=6),
    st.binary(max_size=60),
)


@given(CHUNK_BODIES)
def test_any_chunks_are_parsed_or_refused(body: bytes) -> None:
    try:
        found = parse(framed(body.hex()))
    except BadPacket:
        return
    assert parse(build(found.packets)) == found
