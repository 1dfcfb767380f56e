"""What subscribers are told of a slot's clock, and how far away they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from media.codecs.names import Kind
from media.portable.streams import SenderClock
from media.reports import middle, ntp_of
from media.rtcp.packets import ReportBlock
from tests.media.portable.slotfeeds import ANNE, BEN, SSRC, Feed, Slot, Sound

# The publisher's clock is not ours.
NTP = ntp_of(1_700_000_000.25)


def clock(timestamp: int, *, later: float = 0.0, at: float = 100.0) -> SenderClock:
    return SenderClock(ntp_of(1_700_000_000.25 + later), timestamp, at)


def flowing(feed: Feed | None = None) -> Slot:
    slot, feed = Slot(), feed or Feed()
    slot.sink.assign(ANNE)
    slot.offer(ANNE, *feed.key())
    return slot


class TestSenderReports:
    def test_the_sources_time_is_kept_and_its_timestamp_is_that_of_the_slot(self) -> None:
        anne, ben = Feed(), Feed(timestamp=40_000, at=101.0)
        slot = flowing(anne)
        slot.sink.assign(BEN)
        sent = slot.offer(BEN, *ben.key())
        report = slot.sink.report(clock(40_900), slot.now)
        assert report is not None
        assert (report.ssrc, report.ntp) == (SSRC, NTP)
        assert report.rtp_timestamp == sent[0].header.timestamp + 900

    def test_what_the_slot_sent_is_counted(self) -> None:
        slot = flowing()
        report = slot.sink.report(clock(0), slot.now)
        assert report is not None
        assert (report.packet_count, report.octet_count) == (2, slot.sink.stats().bytes)

    def test_nothing_is_told_before_the_source_has_told_its_time(self) -> None:
        assert flowing().sink.report(None, 100.0) is None

    def test_an_empty_slot_tells_nothing(self) -> None:
        slot = flowing()
        slot.sink.assign(None)
        assert slot.sink.report(clock(0), 100.0) is None

    def test_the_same_is_not_told_twice_but_after_a_switch_it_is_not_the_same(self) -> None:
        slot, ben = flowing(), Feed(timestamp=3, at=103.0)
        assert slot.sink.report(clock(0), 100.0) is not None
        assert slot.sink.report(clock(0), 101.0) is None
        assert slot.sink.report(clock(0, later=1.0), 102.0) is not None
        slot.sink.assign(BEN)
        slot.offer(BEN, *ben.key())
        assert slot.sink.report(clock(0, later=1.0), 103.0) is not None

    def test_sound_and_picture_of_one_person_stay_in_step_over_switches(self) -> None:
        """Both were captured at one moment, and the subscriber computes one moment for both."""
        video, audio = flowing(), Slot(Kind.AUDIO)
        sound = Sound()
        audio.sink.assign(ANNE)
        audio.offer(ANNE, sound.packet())
        bens_picture, bens_sound = Feed(timestamp=9_000, at=105.0), Sound(timestamp=4_800, at=105.04)
        for slot in (video, audio):
            slot.sink.assign(BEN)
        shown = video.offer(BEN, *bens_picture.key())[0]
        heard = audio.offer(BEN, bens_sound.packet())[0]
        of_video, of_audio = video.sink.report(clock(9_000), 105.1), audio.sink.report(clock(4_800), 105.1)
        assert of_video is not None
        assert of_audio is not None
        assert of_video.ntp == of_audio.ntp
        assert of_video.rtp_timestamp == shown.header.timestamp
        assert of_audio.rtp_timestamp == heard.header.timestamp


class TestRoundTrips:
    def block(self, ntp: int, delay: float) -> ReportBlock:
        return ReportBlock(SSRC, 0, 0, 0, 0, middle(ntp), round(delay * 65536))

    def test_it_is_measured_by_our_clock_whatever_the_publishers_says(self) -> None:
        slot = flowing()
        slot.sink.report(clock(0), 100.0)
        slot.sink.heard(self.block(NTP, 0.5), 100.62)
        assert slot.sink.reports.round_trip == pytest.approx(0.12, abs=0.001)

    def test_the_answer_names_the_report_it_is_to(self) -> None:
        slot = flowing()
        for second in range(3):
            slot.sink.report(clock(0, later=second), 100.0 + second)
        slot.sink.heard(self.block(ntp_of(1_700_000_001.25), 1.0), 102.05)
        assert slot.sink.reports.round_trip == pytest.approx(0.05, abs=0.001)

    @pytest.mark.parametrize("ntp", [0, ntp_of(1_600_000_000.0)])
    def test_an_answer_to_nothing_measures_nothing(self, ntp: int) -> None:
        slot = flowing()
        slot.sink.report(clock(0), 100.0)
        slot.sink.heard(replace(self.block(ntp, 0.1), last_report=middle(ntp) if ntp else 0), 100.5)
        assert slot.sink.reports.round_trip is None
