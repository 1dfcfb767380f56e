"""Receiver statistics, round trips and NTP times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.reports import MAX_DROPOUT, NTP_EPOCH, Reception, middle, ntp_of, round_trip, seconds_of
from media.rtcp import ReportBlock

RATE = 90000


def block(last_report: int, delay: int) -> ReportBlock:
    return ReportBlock(1, 0, 0, 0, 0, last_report, delay)


def steady(reception: Reception, sequences: list[int]) -> None:
    for sequence in sequences:
        reception.packet(sequence & 0xFFFF, 0, 0.0)


def test_before_the_first_packet_there_is_nothing_to_report() -> None:
    reception = Reception(7, RATE)
    assert reception.report(0.0) is None
    assert (reception.expected, reception.lost, reception.highest_sequence) == (0, 0, -1)


def test_the_highest_sequence_counts_wraps() -> None:
    reception = Reception(7, RATE)
    steady(reception, [0xFFFE, 0xFFFF, 0, 1])
    report = reception.report(0.0)
    assert report is not None
    assert report.highest_sequence == 0x00010001
    assert (report.cumulative_lost, report.fraction_lost) == (0, 0)


def test_loss_is_said_of_the_interval_and_of_all_time() -> None:
    reception = Reception(7, RATE)
    steady(reception, [0, 1, 3])
    first = reception.report(0.0)
    steady(reception, [4, 5])
    second = reception.report(0.0)
    assert first is not None
    assert second is not None
    assert (first.fraction_lost, first.cumulative_lost) == (64, 1)
    assert (second.fraction_lost, second.cumulative_lost) == (0, 1)


def test_a_late_packet_is_not_lost_and_duplicates_make_the_loss_negative() -> None:
    reception = Reception(7, RATE)
    steady(reception, [10, 12, 11, 12, 12])
    report = reception.report(0.0)
    assert report is not None
    assert (report.highest_sequence, report.fraction_lost, report.cumulative_lost) == (12, 0, -2)


def test_a_fraction_fits_into_its_byte() -> None:
    reception = Reception(7, RATE)
    steady(reception, [0])
    reception.report(0.0)
    for step in range(1, 3):
        assert reception.packet(step * 2999 & 0xFFFF, 0, 0.0)
    report = reception.report(0.0)
    assert report is not None
    assert report.fraction_lost == 255


def test_the_count_of_the_lost_stays_in_its_24_bits() -> None:
    reception = Reception(7, RATE)
    for step in range(0x800000 // 2998 + 10):
        reception.packet(step * 2999 & 0xFFFF, 0, 0.0)
    report = reception.report(0.0)
    assert reception.lost > 0x7FFFFF
    assert report is not None
    assert report.cumulative_lost == 0x7FFFFF


def test_a_jump_is_believed_when_the_next_packet_confirms_it() -> None:
    reception = Reception(7, RATE)
    steady(reception, [0, 1])
    assert not reception.packet(1 + MAX_DROPOUT, 0, 0.0)
    assert reception.packet(2, 0, 0.0)
    assert not reception.packet(30000, 0, 0.0)
    assert reception.packet(30001, 0, 0.0)
    assert (reception.highest_sequence, reception.expected, reception.lost) == (30001, 1, 0)


def test_a_packet_from_far_behind_does_not_count() -> None:
    reception = Reception(7, RATE)
    steady(reception, [1000])
    assert reception.packet(901, 0, 0.0)
    assert not reception.packet(900, 0, 0.0)
    assert reception.received == 2


def test_jitter_follows_the_rfc_s_integers() -> None:
    reception = Reception(7, 8000)
    expected_16 = 0
    transit = 0
    for index, late in enumerate([0, 3, 1, 9, 2, 2, 7]):
        now = index * 0.02 + late * 0.001
        reception.packet(index, index * 160, now)
        change = abs(late * 8 - transit) if index else 0
        transit = late * 8
        expected_16 += change - ((expected_16 + 8) >> 4) if index else 0
    assert reception.jitter == pytest.approx(expected_16 >> 4, abs=1)
    assert reception.jitter > 0


def test_packets_on_time_have_no_jitter_across_the_timestamp_s_wrap() -> None:
    reception = Reception(7, RATE)
    for index in range(10):
        reception.packet(index, (0xFFFFFFFF - 9000 + index * 2250) & 0xFFFFFFFF, 100.0 + index * 0.025)
    assert reception.jitter == 0


def test_another_timeline_is_not_jitter() -> None:
    reception = Reception(7, RATE)
    reception.packet(0, 0, 0.0)
    reception.packet(1, 0x40000000, 0.02)
    assert reception.jitter == 0


def test_a_report_refers_to_the_last_sender_report() -> None:
    reception = Reception(7, RATE)
    reception.packet(0, 0, 0.0)
    first = reception.report(0.0)
    reception.sender_report(0x1111222233334444, 10.0)
    second = reception.report(10.5)
    assert first is not None
    assert second is not None
    assert (first.last_report, first.delay) == (0, 0)
    assert (second.last_report, second.delay) == (0x22223333, 0x8000)


def test_a_clock_without_a_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="rate"):
        Reception(7, 0)


@given(st.integers(0, 0xFFFF), st.lists(st.integers(1, 50), max_size=60))
def test_expected_is_received_and_lost_together(first: int, gaps: list[int]) -> None:
    reception = Reception(7, RATE)
    number = first
    steady(reception, [number])
    for gap in gaps:
        number += gap
        steady(reception, [number])
    assert reception.highest_sequence == number
    assert reception.expected == number - first + 1
    assert reception.lost == sum(gap - 1 for gap in gaps)


def test_the_rfc_s_example_of_a_round_trip() -> None:
    # RFC 3550 section 6.4.1, figure 2: 6.125 seconds.
    ntp = 0xB44DB705_20000000
    came = 0xB710_8000 << 16
    assert middle(ntp) == 0xB7052000
    assert round_trip(block(0xB7052000, 0x00054000), came) == pytest.approx(6.125)


def test_a_round_trip_that_cannot_be_is_none() -> None:
    now = ntp_of(1_700_000_000.0)
    assert round_trip(block(0, 0), now) is None
    assert round_trip(block((middle(now) + 0x100000) & 0xFFFFFFFF, 0), now) is None
    assert round_trip(block((middle(now) - 61 * 65536) & 0xFFFFFFFF, 0), now) is None
    assert round_trip(block(middle(now), 0xFFFFFFFF), now) == pytest.approx(1 / 65536)


def test_rounding_does_not_make_a_round_trip_negative() -> None:
    now = ntp_of(1_700_000_000.0)
    assert round_trip(block(middle(now), 20), now) == 0.0


def test_a_round_trip_spans_the_wrap_of_the_middle_bits() -> None:
    assert round_trip(block(0xFFFFFFFF, 0), 0xFFFF << 16) == pytest.approx(1.0)


def test_known_ntp_times() -> None:
    assert ntp_of(0.0) == NTP_EPOCH << 32
    assert ntp_of(0.5) == (NTP_EPOCH << 32) + 0x80000000
    # 1 January 2000 (RFC 5905, figure 4).
    assert ntp_of(946_684_800.0) >> 32 == 3_155_673_600


def test_ntp_goes_on_into_its_second_era() -> None:
    # 7 February 2036 06:28:16 is 0.
    begin = float((1 << 32) - NTP_EPOCH)
    assert ntp_of(begin) == 0
    assert seconds_of(0, near=begin - 1) == begin
    assert seconds_of(0xFFFFFFFF << 32, near=begin + 1) == begin - 1
    assert seconds_of(0, near=-2e9) == -float(NTP_EPOCH)


@given(st.floats(0, 6e9), st.floats(-1e6, 1e6))
def test_seconds_survive_the_way_through_ntp(seconds: float, off: float) -> None:
    assert seconds_of(ntp_of(seconds), near=seconds + off) == pytest.approx(seconds, abs=2e-6)
