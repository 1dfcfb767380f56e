"""When it is worth telling who speaks."""

from __future__ import annotations

from sfu.floor import TELL_EVERY, Floor
from sfu.speakers import Level

LOUD, QUIET = Level(0, voice=True), Level(127, voice=False)


def test_a_second_speaker_is_told_a_moment_after_the_first_and_not_at_once() -> None:
    floor = Floor()
    floor.hear(["ada", "bob"], {}, 0.0)
    assert floor.news(0.0) is None
    now = 0.0
    while (told := floor.news(now)) is None:
        now += 0.05
        floor.hear(["ada", "bob"], {"ada": LOUD}, now)
    first = now
    assert [one.participant for one in told] == ["ada"]
    while len(floor.heard.speaking) < 2:
        now += 0.01
        floor.hear(["ada", "bob"], {"ada": LOUD, "bob": LOUD}, now)
    assert now - first < TELL_EVERY
    assert floor.news(now) is None
    later = floor.news(first + TELL_EVERY)
    assert later is not None
    assert {one.participant for one in later} == {"ada", "bob"}


def test_an_order_is_another_when_somebody_begins_and_the_same_while_they_go_on() -> None:
    floor = Floor()
    changes = [floor.hear(["ada", "bob"], {"bob": LOUD}, tenth / 10) for tenth in range(30)]
    assert changes[0]
    assert sum(changes) <= 4
    assert not any(changes[10:])
    assert floor.heard.dominant == "bob"


def test_levels_go_from_nothing_to_one() -> None:
    floor = Floor()
    for tenth in range(30):
        floor.hear(["ada"], {"ada": LOUD}, tenth / 10)
    told = floor.news(3.0)
    assert told is not None
    assert told[0].level == 1.0
