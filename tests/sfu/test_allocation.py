"""Which layer of each track a subscriber gets within a bitrate, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.allocation import DWELL_SECONDS, HEADROOM, Allocation, Layer, Reason, Visible, allocated

LAYERS = (
    Layer(0, 0, 150_000, 320, 180),
    Layer(1, 0, 500_000, 640, 360),
    Layer(2, 0, 1_500_000, 1280, 720),
)
LARGE = Visible("cam", LAYERS, 1280, 720)
SMALL = replace(LARGE, width=320, height=180)
EMPTY: Allocation[str] = Allocation()
LATER = DWELL_SECONDS


def rungs(allocation: Allocation[str]) -> dict[str, int | None]:
    return {track: choice.rung for track, choice in allocation.choices.items()}


def reason(allocation: Allocation[str], track: str = "cam") -> Reason:
    return allocation.choices[track].why.reason


def settled(wanted: Sequence[Visible[str]], budget: int, now: float = 0.0) -> Allocation[str]:
    return allocated(EMPTY, wanted, budget, now)


@pytest.mark.parametrize(
    ("width", "height", "budget", "rung", "why"),
    [
        (320, 180, 9_000_000, 0, Reason.FILLS_TILE),
        (350, 197, 9_000_000, 0, Reason.FILLS_TILE),
        (400, 225, 9_000_000, 1, Reason.FILLS_TILE),
        (1280, 720, 9_000_000, 2, Reason.FILLS_TILE),
        (3840, 2160, 9_000_000, 2, Reason.HIGHEST),
        (1280, 720, 1_499_999, 1, Reason.BITRATE),
        (1280, 720, 1_500_000, 2, Reason.FILLS_TILE),
        (1280, 720, 499_999, 0, Reason.BITRATE),
        (1280, 720, 150_000, 0, Reason.BITRATE),
        (1280, 720, 149_999, 0, Reason.LOWEST_KEPT),
        (320, 180, 0, 0, Reason.LOWEST_KEPT),
        (0, 720, 9_000_000, None, Reason.NOT_VISIBLE),
    ],
)
def test_a_track_gets_the_least_layer_that_fills_its_tile(
    width: int, height: int, budget: int, rung: int | None, why: Reason
) -> None:
    allocation = settled([Visible("cam", LAYERS, width, height)], budget)
    assert rungs(allocation) == {"cam": rung}
    assert reason(allocation) is why


def test_a_portrait_fills_a_wide_tile_by_its_height() -> None:
    tall = (Layer(0, 0, 100, 180, 320), Layer(1, 0, 400, 360, 640))
    assert rungs(settled([Visible("cam", tall, 640, 320)], 900)) == {"cam": 0}


def test_temporal_layers_are_rungs_too() -> None:
    rungs_of_three = tuple(Layer(0, t, 100 + 50 * t, 320, 180, fps) for t, fps in enumerate((7.5, 15.0, 30.0)))
    seen = Visible("cam", rungs_of_three, 320, 180)
    assert [rungs(settled([replace(seen, fps=fps)], 900))["cam"] for fps in (5.0, 15.0, 30.0, 60.0)] == [0, 1, 2, 2]


def test_a_track_without_layers_says_so() -> None:
    allocation = settled([replace(LARGE, layers=())], 9_000_000)
    assert rungs(allocation) == {"cam": None}
    assert reason(allocation) is Reason.NO_LAYERS


def test_the_numbers_say_what_is_missing() -> None:
    allocation = settled([LARGE], 1_000_000)
    why = allocation.choices["cam"].why
    assert (why.wanted, why.needs, why.missing) == (2, 1_500_000, 500_000)
    assert (allocation.used, allocation.desired, allocation.budget) == (500_000, 1_500_000, 1_000_000)


def test_the_ladder_is_what_the_engine_may_fall_back_to() -> None:
    allocation = settled([LARGE, replace(LARGE, track="off", width=0)], 600_000)
    assert allocation.choices["cam"].ladder == LAYERS[:2]
    assert allocation.choices["off"].ladder == ()


PLAIN = replace(LARGE, track="plain")


@pytest.mark.parametrize(
    "first",
    [
        replace(LARGE, track="first", is_screen=True, width=640, height=360),
        replace(LARGE, track="first", priority=1),
        replace(LARGE, track="first", is_speaker=True),
    ],
)
def test_what_comes_first_has_all_it_wants_before_the_others_rise(first: Visible[str]) -> None:
    wants = 2 if first.width == 1280 else 1
    budget = LAYERS[wants].bitrate + LAYERS[0].bitrate
    assert rungs(settled([PLAIN, first], budget)) == {"plain": 0, "first": wants}


def test_a_screen_comes_before_priority_and_priority_before_the_speaker() -> None:
    screen = replace(LARGE, track="screen", is_screen=True)
    pinned = replace(LARGE, track="pinned", priority=5)
    speaker = replace(LARGE, track="speaker", is_speaker=True)
    allocation = settled([speaker, pinned, screen], 1_500_000 + 500_000 + 150_000)
    assert rungs(allocation) == {"screen": 2, "pinned": 1, "speaker": 0}


def test_those_alike_rise_in_turns() -> None:
    alike = [replace(LARGE, track=name) for name in "abc"]
    assert rungs(settled(alike, 1_600_000)) == {"a": 1, "b": 1, "c": 1}


def test_rising_needs_headroom_and_staying_does_not() -> None:
    low = settled([LARGE], 400_000)
    barely = allocated(low, [LARGE], 500_000, LATER)
    assert (rungs(barely), reason(barely)) == ({"cam": 0}, Reason.HEADROOM)
    assert barely.choices["cam"].why.missing == 75_000
    risen = allocated(barely, [LARGE], 575_000, 2 * LATER)
    assert rungs(risen) == {"cam": 1}
    assert rungs(allocated(risen, [LARGE], 500_000, 3 * LATER)) == {"cam": 1}


def test_a_track_is_switched_once_in_two_seconds() -> None:
    first = settled([SMALL], 9_000_000)
    risen = allocated(first, [replace(LARGE, width=640, height=360)], 9_000_000, 10.0)
    waiting = allocated(risen, [LARGE], 9_000_000, 11.5)
    assert (rungs(waiting), reason(waiting)) == ({"cam": 1}, Reason.DWELL)
    assert waiting.choices["cam"].why.wait == 0.5
    assert rungs(allocated(waiting, [LARGE], 9_000_000, 12.0)) == {"cam": 2}


def test_to_survive_a_track_is_put_down_at_once() -> None:
    risen = allocated(settled([SMALL], 9_000_000), [LARGE], 9_000_000, 10.0)
    fallen = allocated(risen, [LARGE], 600_000, 10.1)
    assert (rungs(fallen), reason(fallen)) == ({"cam": 1}, Reason.SURVIVAL)
    assert rungs(allocated(fallen, [LARGE], 9_000_000, 12.0)) == {"cam": 1}
    assert rungs(allocated(fallen, [LARGE], 9_000_000, 12.1)) == {"cam": 2}


def test_to_survive_the_last_in_rank_gives_way_first() -> None:
    screen, camera = replace(LARGE, track="screen", is_screen=True), LARGE
    small = [replace(one, width=320, height=180) for one in (camera, screen)]
    risen = allocated(settled(small, 9_000_000), [camera, screen], 9_000_000, 10.0)
    assert rungs(allocated(risen, [camera, screen], 2_000_000, 10.1)) == {"screen": 2, "cam": 1}


def test_a_track_that_lost_its_upper_layers_is_given_what_is_left() -> None:
    high = settled([LARGE], 9_000_000)
    assert rungs(allocated(high, [replace(LARGE, layers=LAYERS[:1])], 9_000_000, 0.1)) == {"cam": 0}


RATES = st.lists(st.integers(30_000, 900_000), max_size=5)


@st.composite
def company(draw: st.DrawFn) -> list[Visible[str]]:
    seen = []
    for index in range(draw(st.integers(0, 6))):
        layers, total = [], 0
        for rung, rate in enumerate(draw(RATES)):
            total += rate
            layers.append(Layer(rung, 0, total, 160 << rung, 90 << rung))
        size = draw(st.integers(0, 2000))
        first, loud = draw(st.booleans()), draw(st.booleans())
        priority = draw(st.integers(0, 2))
        seen.append(
            Visible(str(index), layers, size, size, priority=priority, is_screen=first, is_speaker=loud),
        )
    return seen


BUDGETS = st.integers(0, 8_000_000)


@given(st.lists(st.tuples(company(), BUDGETS, st.floats(0, 3)), max_size=12))
def test_never_above_the_bitrate_but_for_the_lowest_and_every_track_has_its_reason(
    steps: list[tuple[list[Visible[str]], int, float]],
) -> None:
    before, now = EMPTY, 0.0
    for wanted, budget, seconds in steps:
        now += seconds
        after = allocated(before, wanted, budget, now)
        assert set(after.choices) == {seen.track for seen in wanted}
        sent = [choice for choice in after.choices.values() if choice.rung is not None]
        assert after.used == sum(choice.bitrate for choice in sent)
        assert after.used <= budget or all(choice.rung == 0 for choice in sent)
        for seen in wanted:
            choice, old = after.choices[seen.track], before.choices.get(seen.track)
            assert (choice.rung is not None) == (seen.is_seen and bool(seen.layers))
            assert choice.ladder == tuple(seen.layers[: len(choice.ladder)])
            if old is not None and None not in (old.rung, choice.rung) and old.switched_at is not None:
                had = min(old.rung or 0, len(seen.layers) - 1)
                is_early = now < old.switched_at + DWELL_SECONDS
                assert not is_early or choice.rung == had or choice.why.reason in (Reason.SURVIVAL, Reason.LOWEST_KEPT)
        before = after


@given(company(), BUDGETS, company(), BUDGETS, st.floats(0, 3))
def test_under_no_change_nothing_is_switched(
    earlier: list[Visible[str]], had: int, wanted: list[Visible[str]], budget: int, seconds: float
) -> None:
    before = allocated(allocated(EMPTY, earlier, had, 0.0), wanted, budget, seconds)
    assert rungs(allocated(before, wanted, budget, seconds)) == rungs(before)
    once = allocated(before, wanted, budget, 10.0)
    for later in (10.0, 10.1, 13.0, 60.0):
        assert rungs(allocated(once, wanted, budget, later)) == rungs(once)


@given(st.lists(st.integers(0, 100), min_size=10, max_size=60), BUDGETS)
def test_a_bitrate_that_trembles_less_than_the_headroom_switches_a_track_once(waves: list[int], budget: int) -> None:
    switches, before = 0, settled([LARGE], budget)
    for step, wave in enumerate(waves):
        trembling = round(budget * (1 + wave / 100 * (HEADROOM - 1.001)))
        after = allocated(before, [LARGE], trembling, 10.0 + step * LATER)
        switches += rungs(after) != rungs(before)
        before = after
    assert switches <= 1
