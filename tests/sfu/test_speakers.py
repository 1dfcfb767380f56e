"""Who speaks and who dominates."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.speakers import (
    CLEARLY_LOUDER,
    DOMINATES_AT_LEAST,
    FLOOR,
    SILENCE,
    Heard,
    Level,
    Speakers,
)

TICK = 0.1
VOICE = Level(40, voice=True)


class Room:
    """Ten ticks a second of a fixed company."""

    def __init__(self, *people: str) -> None:
        self.people = people
        self.speakers: Speakers[str] = Speakers()
        self.now = 100.0

    def hear(self, levels: Mapping[str, Level], seconds: float = TICK) -> Heard[str]:
        heard: Heard[str] = Heard()
        for _ in range(round(seconds / TICK)):
            heard = self.speakers.hear(self.people, levels, self.now)
            self.now += TICK
        return heard


@pytest.mark.parametrize(
    ("level", "loudness"),
    [
        (Level(0), 127.0),
        (Level(SILENCE), 0.0),
        (Level(200), 0.0),
        (Level(-5), 127.0),
        (Level(40, voice=True), 87.0),
        (Level(40, voice=False), 67.0),
        (Level(120, voice=False), 0.0),
    ],
)
def test_loudness_counts_upwards_and_noise_for_less(level: Level, loudness: float) -> None:
    assert level.loudness == loudness


def test_whoever_begins_to_speak_is_seen_within_half_a_second() -> None:
    room = Room("ada", "bob")
    assert room.hear({}).dominant is None
    heard = room.hear({"bob": VOICE}, 0.5)
    assert heard == Heard(("bob", "ada"), ("bob",), "bob")


def test_one_loud_moment_is_no_speech() -> None:
    room = Room("ada")
    room.hear({}, 1.0)
    assert room.hear({"ada": Level(20, voice=False)}).speaking == ()
    assert room.hear({}, 1.0).speaking == ()


def test_a_keyboard_is_no_speech() -> None:
    assert Room("ada").hear({"ada": Level(45, voice=False)}, 5.0).speaking == ()


def test_a_gap_between_words_is_still_speech_and_silence_ends_it() -> None:
    room = Room("ada")
    room.hear({"ada": VOICE}, 3.0)
    assert room.hear({}, 0.2).speaking == ("ada",)
    assert room.hear({}, 1.5).speaking == ()


def test_between_the_thresholds_nothing_changes() -> None:
    room = Room("ada")
    between = {"ada": Level(SILENCE - 67)}
    assert room.hear(between, 5.0).speaking == ()
    room.hear({"ada": VOICE}, 2.0)
    assert room.hear(between, 5.0).speaking == ("ada",)


def test_whoever_dominates_does_so_for_a_while() -> None:
    room = Room("ada", "bob")
    room.hear({"ada": Level(50)}, 1.0)
    both = {"ada": Level(50), "bob": Level(20)}
    assert room.hear(both, 0.5).order[0] == "bob"
    assert room.hear(both, 0.1).dominant == "ada"
    assert room.hear(both, DOMINATES_AT_LEAST).dominant == "bob"


def test_a_silent_one_no_longer_dominates_when_another_speaks_but_is_kept_while_nobody_does() -> None:
    room = Room("ada", "bob")
    room.hear({"ada": VOICE}, 1.0)
    assert room.hear({}, 5.0).dominant == "ada"
    assert room.hear({"bob": Level(54)}, 1.0).dominant == "bob"


def test_a_little_louder_is_not_ahead() -> None:
    room = Room("ada", "bob")
    levels = {"ada": Level(40), "bob": Level(36)}
    assert room.hear(levels, 5.0).order == ("ada", "bob")


def test_the_silent_stand_in_the_order_in_which_they_last_spoke() -> None:
    room = Room("ada", "bob", "cy")
    for person in ("bob", "cy", "ada", "cy"):
        room.hear({person: VOICE}, 2.0)
        room.hear({}, 3.0)
    assert room.hear({}).order == ("cy", "ada", "bob")


def test_whoever_left_is_forgotten() -> None:
    room = Room("ada", "bob")
    room.hear({"ada": VOICE}, 1.0)
    room.people = ("bob",)
    assert room.hear({"ada": VOICE}) == Heard(("bob",), (), None)
    assert room.speakers.loudness("ada") == 0.0


def test_after_a_stall_one_sample_counts_for_half_a_second_only() -> None:
    room = Room("ada")
    room.hear({"ada": VOICE}, 2.0)
    room.now += 600.0
    room.hear({})
    assert room.speakers.loudness("ada") > 0.0


LEVELS = st.dictionaries(st.integers(0, 7), st.builds(Level, st.integers(0, 127), st.sampled_from([True, False, None])))


@given(st.lists(st.tuples(LEVELS, st.floats(0, 3)), max_size=30))
def test_nobody_stands_behind_somebody_they_are_clearly_louder_than(
    steps: list[tuple[dict[int, Level], float]],
) -> None:
    speakers: Speakers[int] = Speakers()
    now = 0.0
    for levels, seconds in steps:
        now += seconds
        heard = speakers.hear(range(8), levels, now)
        assert sorted(heard.order) == list(range(8))
        assert set(heard.speaking) <= set(heard.order)
        counted = [max(FLOOR, speakers.loudness(source)) for source in heard.order]
        for place, ahead in enumerate(counted):
            assert all(behind <= ahead + CLEARLY_LOUDER for behind in counted[place:])
        # Time that does not pass changes nothing.
        assert speakers.hear(range(8), levels, now).order == heard.order


@given(LEVELS)
def test_under_no_change_everything_settles(levels: dict[int, Level]) -> None:
    speakers: Speakers[int] = Speakers()
    for tick in range(100):
        speakers.hear(range(8), levels, tick * TICK)
    settled = speakers.hear(range(8), levels, 10.0)
    for tick in range(100, 140):
        assert speakers.hear(range(8), levels, tick * TICK) == settled
