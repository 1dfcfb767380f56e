"""What fits towards a subscriber, and who steps down."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from media.engine import Layer, SinkId
from media.portable.budget import HEADROOM, REMB_HOLDS, UP_AFTER, Available, Survival, costs
from media.rtcp.packets import ReportBlock

ONE, TWO = SinkId(1), SinkId(2)
RUNGS = [100_000, 400_000, 1_500_000]
BITRATES = {Layer(0, 0): 60, Layer(0, 1): 40, Layer(1, 0): 300, Layer(1, 1): 200}
LADDER = [Layer(0, 0), Layer(0, 1), Layer(1, 1)]


class Reported:
    """A subscriber that reports of 100 packets at a time."""

    def __init__(self) -> None:
        self.available = Available()
        self.highest = 0
        self.heard(0.0, at=0.0)

    def heard(self, fraction: float, *, at: float, sent: int = 1_000_000, desired: int = 1_000_000) -> int | None:
        self.highest += 100
        block = ReportBlock(7, round(256 * fraction), 0, self.highest, 0, 0, 0)
        self.available.heard([block], sent=sent, desired=desired, now=at)
        return self.available.bitrate(at)


class TestAvailable:
    def test_nothing_is_believed_before_there_is_a_sign(self) -> None:
        assert Available().bitrate(0.0) is None
        assert Reported().heard(0.0, at=1.0) is None

    def test_a_remb_holds_as_long_as_it_is_repeated(self) -> None:
        available = Available()
        available.remb(500_000, 10.0)
        assert available.bitrate(10.0 + REMB_HOLDS) == 500_000
        assert available.bitrate(10.1 + REMB_HOLDS) is None

    def test_the_latest_remb_counts(self) -> None:
        available = Available()
        available.remb(500_000, 10.0)
        available.remb(700_000, 11.0)
        assert available.bitrate(11.0) == 700_000

    def test_who_is_sent_little_and_says_little_is_not_limited(self) -> None:
        """libwebrtc raises its estimate to half again of what comes, and 10 kbit/s."""
        available = Available()
        for second in range(20):
            available.remb(int(1.5 * 7_000) + 10_000, float(second), sent=7_000, desired=1_000_000)
            assert available.bitrate(float(second)) is None

    def test_who_is_sent_more_at_once_is_not_held_to_what_was_said_before(self) -> None:
        available = Available()
        said = 235_000
        for second in range(20):
            available.remb(said, float(second), sent=150_000 if second < 3 else 1_700_000, desired=2_000_000)
            assert available.bitrate(float(second)) is None
            said = int(said * 1.08)

    def test_a_narrow_road_limits_and_what_it_takes_is_found_out_again_step_by_step(self) -> None:
        available = Available()
        available.remb(1_600_000, 0.0, sent=1_200_000, desired=1_500_000)
        assert available.bitrate(0.0) is None
        available.remb(425_000, 1.0, sent=1_200_000, desired=1_500_000)
        assert available.bitrate(1.0) == 425_000
        seen = []
        for second in range(2, 40):
            available.remb(430_000, float(second), sent=350_000, desired=1_500_000)
            seen.append(available.bitrate(float(second)))
        assert seen[0] == 460_000
        known = [one for one in seen if one is not None]
        assert known == sorted(known)
        assert seen[-1] is None
        assert len(known) > 10

    def test_heavy_loss_takes_half_of_itself_off(self) -> None:
        assert Reported().heard(0.25, at=1.0) == 875_000

    def test_less_than_a_tenth_is_borne(self) -> None:
        assert Reported().heard(0.08, at=1.0) is None

    def test_reports_close_together_count_once(self) -> None:
        reported = Reported()
        assert reported.heard(0.5, at=1.0) == 750_000
        assert reported.heard(0.5, at=1.1) == 750_000
        assert reported.heard(0.5, at=1.4) == 562_500

    def test_it_is_not_believed_that_more_fits_than_what_was_sent_with_loss(self) -> None:
        reported = Reported()
        assert reported.heard(0.5, at=1.0, sent=200_000) == 150_000
        assert reported.heard(0.5, at=2.0, sent=100_000) == 75_000

    def test_without_loss_it_grows_by_eight_percent_a_second(self) -> None:
        reported = Reported()
        reported.heard(0.5, at=1.0)
        assert reported.heard(0.0, at=1.5) == 750_000
        assert reported.heard(0.01, at=2.0) == 811_000

    def test_once_everything_fits_there_is_no_limit_any_more(self) -> None:
        reported = Reported()
        reported.heard(0.5, at=1.0)
        seen = [reported.heard(0.0, at=2.0 + second) for second in range(8)]
        assert seen[-1] is None

    def test_a_few_packets_say_nothing(self) -> None:
        available = Available()
        for highest in (100, 110):
            available.heard([ReportBlock(7, 200, 0, highest, 0, 0, 0)], sent=1, desired=1, now=1.0)
        assert available.bitrate(1.0) is None

    def test_slots_are_weighed_by_their_packets(self) -> None:
        available = Available()
        for sound, picture in ((100, 1000), (120, 1980)):
            blocks = [ReportBlock(1, 255, 0, sound, 0, 0, 0), ReportBlock(2, 0, 0, picture, 0, 0, 0)]
            available.heard(blocks, sent=1_000_000, desired=1_000_000, now=1.0)
        assert available.bitrate(1.0) is None

    def test_the_lower_of_both_signs_counts(self) -> None:
        reported = Reported()
        reported.available.remb(600_000, 1.0)
        assert reported.heard(0.5, at=1.0) == 600_000
        assert reported.available.bitrate(1.1 + REMB_HOLDS) == 750_000

    def test_a_slot_that_ended_is_forgotten(self) -> None:
        reported = Reported()
        reported.available.forget(7)
        assert reported.heard(1.0, at=1.0) is None


class TestCosts:
    def test_encodings_replace_each_other(self) -> None:
        assert costs(LADDER, BITRATES, is_scalable=False) == [60, 100, 500]

    def test_scalable_layers_need_those_below(self) -> None:
        assert costs(LADDER, BITRATES, is_scalable=True) == [60, 100, 600]


class TestSurvival:
    def test_everything_flows_while_there_is_no_limit(self) -> None:
        assert Survival().limits(None, {ONE: RUNGS}, 0.0) == {}

    def test_the_most_expensive_steps_down_first_and_at_once(self) -> None:
        assert Survival().limits(1_900_000, {ONE: RUNGS, TWO: RUNGS[:2]}, 0.0) == {}
        assert Survival().limits(1_899_999, {ONE: RUNGS, TWO: RUNGS[:2]}, 0.0) == {ONE: 1}

    def test_the_lowest_is_never_left(self) -> None:
        assert Survival().limits(1, {ONE: RUNGS, TWO: RUNGS}, 0.0) == {ONE: 0, TWO: 0}

    def test_up_again_one_step_at_a_time_with_room_to_spare_after_a_while(self) -> None:
        survival, rungs = Survival(), {ONE: RUNGS, TWO: RUNGS}
        survival.limits(200_000, rungs, 0.0)
        assert survival.limits(5_000_000, rungs, UP_AFTER - 0.1) == {ONE: 0, TWO: 0}
        assert survival.limits(5_000_000, rungs, UP_AFTER) == {ONE: 1, TWO: 0}
        assert survival.limits(5_000_000, rungs, UP_AFTER + 1) == {ONE: 1, TWO: 0}
        assert survival.limits(round(800_000 * HEADROOM) - 1, rungs, 2 * UP_AFTER) == {ONE: 1, TWO: 0}
        assert survival.limits(round(800_000 * HEADROOM) + 1, rungs, 2 * UP_AFTER) == {ONE: 1, TWO: 1}
        assert [survival.limits(None, rungs, turn * UP_AFTER) for turn in (3, 4)] == [{TWO: 1}, {}]

    def test_a_shorter_ladder_of_policy_lifts_the_limit_it_makes_needless(self) -> None:
        survival = Survival()
        assert survival.limits(500_000, {ONE: RUNGS}, 0.0) == {ONE: 1}
        assert survival.limits(500_000, {ONE: RUNGS[:2]}, 0.1) == {}
        assert survival.limits(500_000, {TWO: RUNGS[:1]}, 0.2) == {}

    @given(
        st.lists(st.lists(st.integers(1, 3_000_000), min_size=1, max_size=5), max_size=8),
        st.lists(st.one_of(st.none(), st.integers(0, 10_000_000)), min_size=1, max_size=20),
    )
    def test_what_is_chosen_fits_or_cannot_be_less(self, ladders: list[list[int]], heard: list[int | None]) -> None:
        survival = Survival()
        rungs = {SinkId(at): sorted(ladder) for at, ladder in enumerate(ladders)}
        for second, available in enumerate(heard):
            limits = survival.limits(available, rungs, float(second))
            at = {sink: limits.get(sink, len(ladder) - 1) for sink, ladder in rungs.items()}
            assert all(0 <= rung < len(rungs[sink]) for sink, rung in at.items())
            used = sum(rungs[sink][rung] for sink, rung in at.items())
            assert available is None or used <= available or not any(at.values())
