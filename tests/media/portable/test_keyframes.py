"""When a publisher is asked for a key frame."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from media.portable.keyframes import FORGOTTEN_AFTER, LONGEST_WAIT, SOONEST_LOW, KeyframeRequests


def asked_until(requests: KeyframeRequests, end: float) -> list[float]:
    asked = []
    while (due := requests.due()) is not None and due <= end:
        if requests.ask(due):
            asked.append(due)
    return asked


def test_nobody_waits_at_first() -> None:
    requests = KeyframeRequests(SOONEST_LOW)
    assert requests.due() is None
    assert not requests.ask(0.0)


def test_the_first_wish_is_told_at_once_and_only_once() -> None:
    requests = KeyframeRequests(SOONEST_LOW)
    for _ in range(30):
        requests.wish(5.0)
    assert requests.due() == 5.0
    assert requests.ask(5.0)
    assert not requests.ask(5.0)
    assert requests.asked == 1


def test_a_wish_that_is_not_fulfilled_is_repeated_ever_more_slowly() -> None:
    requests = KeyframeRequests(0.5)
    requests.wish(0.0)
    assert asked_until(requests, 16.0) == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5]


def test_it_ends_with_a_key_frame() -> None:
    requests = KeyframeRequests(0.5)
    requests.wish(0.0)
    requests.ask(0.0)
    requests.came()
    assert requests.due() is None


def test_the_next_wish_keeps_the_distance_and_begins_at_the_shortest() -> None:
    requests = KeyframeRequests(0.5)
    requests.wish(0.0)
    asked_until(requests, 4.0)
    requests.came()
    requests.wish(3.6)
    assert asked_until(requests, 5.0) == [4.0, 4.5]


def test_whoever_waits_without_a_word_is_forgotten() -> None:
    requests = KeyframeRequests(0.5)
    requests.wish(0.0)
    asked = asked_until(requests, 1000.0)
    assert asked[-1] <= FORGOTTEN_AFTER
    assert requests.due() is None


def test_one_who_waits_on_is_not_forgotten() -> None:
    requests = KeyframeRequests(0.5)
    asked = []
    for second in range(100):
        requests.wish(float(second))
        asked += asked_until(requests, float(second))
    assert asked[-1] >= 99 - LONGEST_WAIT


def test_repeated_requests_have_one_number_and_the_next_wish_another() -> None:
    requests = KeyframeRequests(0.5)
    requests.wish(0.0)
    numbers = []
    for now in (0.0, 0.5, 1.5):
        requests.ask(now)
        numbers.append(requests.sequence)
    requests.came()
    requests.wish(10.0)
    requests.ask(10.0)
    assert numbers == [1, 1, 1]
    assert requests.sequence == 2


@given(
    st.sampled_from([0.5, 1.0]),
    st.lists(st.tuples(st.floats(0, 2), st.sampled_from(["wish", "came", "ask"])), max_size=200),
)
def test_whatever_happens_two_requests_are_never_closer(soonest: float, steps: list[tuple[float, str]]) -> None:
    requests, now, asked = KeyframeRequests(soonest), 0.0, []
    for pause, step in steps:
        now += pause
        if step == "ask":
            asked += [now] if requests.ask(now) else []
        elif step == "wish":
            requests.wish(now)
            assert requests.due() is not None
        else:
            requests.came()
            assert requests.due() is None
    assert all(later - earlier >= soonest - 1e-9 for earlier, later in pairwise(asked))
