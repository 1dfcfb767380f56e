"""Which layers a publisher is asked to send."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sfu.dynacast import LOWER_AFTER, PAUSE_AFTER, Dynacast, Wanted

TRACKS = {"cam": 3}


def begun(needed: int) -> Dynacast[str]:
    dynacast: Dynacast[str] = Dynacast()
    dynacast.look(TRACKS, [("cam", needed)], 0.0)
    return dynacast


def test_a_publisher_begins_with_everything() -> None:
    assert begun(1).layers("cam") == 3


def test_the_one_who_needs_most_decides() -> None:
    dynacast = begun(3)
    assert dynacast.look(TRACKS, [("cam", 1), ("cam", 3), ("cam", 2)], 100.0) == ()


def test_unused_layers_are_paused_after_a_while() -> None:
    dynacast = begun(1)
    assert dynacast.look(TRACKS, [("cam", 1)], LOWER_AFTER - 0.1) == ()
    assert dynacast.look(TRACKS, [("cam", 1)], LOWER_AFTER) == (Wanted("cam", 1, "unused"),)
    assert dynacast.look(TRACKS, [("cam", 1)], LOWER_AFTER + 60) == ()


def test_a_track_that_nobody_watches_is_paused_later_and_comes_back_at_once() -> None:
    dynacast = begun(0)
    assert dynacast.look(TRACKS, [], LOWER_AFTER + 1) == ()
    assert dynacast.look(TRACKS, [], PAUSE_AFTER) == (Wanted("cam", 0, "unwatched"),)
    assert dynacast.look(TRACKS, [("cam", 2)], PAUSE_AFTER + 0.1) == (Wanted("cam", 2, "needed"),)


def test_needing_it_again_in_time_pauses_nothing() -> None:
    dynacast = begun(1)
    assert dynacast.look(TRACKS, [("cam", 3)], LOWER_AFTER - 0.1) == ()
    assert dynacast.look(TRACKS, [("cam", 1)], LOWER_AFTER) == ()
    assert dynacast.look(TRACKS, [("cam", 1)], LOWER_AFTER + 1) == ()


def test_it_is_lowered_to_the_most_that_was_needed_meanwhile() -> None:
    dynacast = begun(1)
    dynacast.look(TRACKS, [("cam", 2)], 2.0)
    assert dynacast.look(TRACKS, [("cam", 1)], LOWER_AFTER) == (Wanted("cam", 2, "unused"),)
    assert dynacast.look(TRACKS, [("cam", 1)], 2 * LOWER_AFTER) == (Wanted("cam", 1, "unused"),)


def test_more_than_there_is_and_tracks_that_nobody_knows_are_passed_over() -> None:
    dynacast = begun(3)
    assert dynacast.look(TRACKS, [("cam", 9), ("ghost", 2)], 1.0) == ()
    assert dynacast.layers("ghost") is None


def test_a_track_that_ended_is_forgotten() -> None:
    dynacast = begun(3)
    dynacast.look({}, [], 1.0)
    assert dynacast.layers("cam") is None


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 4)), max_size=60))
def test_what_is_needed_is_always_asked_for_and_lowering_is_rare(steps: list[tuple[int, float]]) -> None:
    dynacast: Dynacast[str] = Dynacast()
    now = 0.0
    lowered: list[float] = []
    for needed, seconds in steps:
        now += seconds
        changes = dynacast.look(TRACKS, [("cam", needed)], now)
        layers = dynacast.layers("cam")
        assert layers is not None
        assert layers >= needed
        lowered += [now for change in changes if change.reason != "needed"]
        assert dynacast.look(TRACKS, [("cam", needed)], now) == ()
    assert all(later - earlier >= LOWER_AFTER for earlier, later in pairwise(lowered))
