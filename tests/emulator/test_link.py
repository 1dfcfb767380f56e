"""What an emulated link does to packets, counted in virtual time."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emulator.link import HEADERS, MOST_UNDER_WAY, PERFECT, Bottleneck, Bursts, Conditions, Link, Step, constant

SIZE = 1000
BITS = 8 * (SIZE + HEADERS)


def packet(number: int) -> bytes:
    return number.to_bytes(4, "big").ljust(SIZE, b"\0")


def delivered(
    conditions: Conditions, packets: int, *, every: float = 0.001, seed: int = 7, until: float = 1e6
) -> tuple[Link, list[tuple[float, int]]]:
    """Each packet's arrival and number, in the order of arrival."""
    link = Link(conditions, seed=seed, now=0.0)
    came: list[tuple[float, int]] = []

    def collect(before: float) -> None:
        while (at := link.next_at()) is not None and at <= before:
            came.extend((at, int.from_bytes(data[:4], "big")) for _, data in link.due(at))

    for number in range(packets):
        collect(number * every)
        link.push(0, packet(number), now=number * every)
    collect(until)
    return link, came


def test_a_perfect_link_changes_nothing() -> None:
    link, came = delivered(PERFECT, 100)
    assert came == [(number * 0.001, number) for number in range(100)]
    assert link.counts.taken == link.counts.delivered == 100
    assert link.counts.delivered_bytes == 100 * SIZE


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.5])
def test_random_loss_takes_its_share_and_comes_alone(loss: float) -> None:
    link, came = delivered(Conditions(loss=loss), 20_000)
    assert link.counts.lost / 20_000 == pytest.approx(loss, rel=0.1)
    assert len(came) == 20_000 - link.counts.lost
    assert mean_burst(came, 20_000) == pytest.approx(1 / (1 - loss), rel=0.1)


def test_bursts_have_their_mean_loss_and_their_length() -> None:
    bursts = Bursts(enter=0.01, leave=0.2)
    link, came = delivered(Conditions(bursts=bursts), 50_000)
    assert link.counts.lost / 50_000 == pytest.approx(bursts.mean_loss, rel=0.1)
    assert mean_burst(came, 50_000) == pytest.approx(5.0, rel=0.1)


def mean_burst(came: list[tuple[float, int]], packets: int) -> float:
    edges = [-1, *(number for _, number in came), packets]
    bursts = [after - before - 1 for before, after in pairwise(edges) if after - before > 1]
    return sum(bursts) / len(bursts)


def test_delay_is_what_it_says_and_jitter_keeps_the_order() -> None:
    _, came = delivered(Conditions(delay=0.05, jitter=0.02), 5_000)
    delays = [at - number * 0.001 for at, number in came]
    assert [number for _, number in came] == list(range(5_000))
    assert min(delays) >= 0.05 - 1e-9
    assert max(delays) <= 0.07 + 1e-9
    assert max(delays) - min(delays) > 0.015


def test_what_is_reordered_is_overtaken_by_as_much_as_it_says() -> None:
    link, came = delivered(Conditions(delay=0.01, reorder=0.1, reorder_by=0.0055), 5_000)
    late = [number for (_, before), (_, number) in pairwise(came) if number < before]
    assert link.counts.reordered / 5_000 == pytest.approx(0.1, rel=0.15)
    assert len(late) == pytest.approx(link.counts.reordered, rel=0.15)
    held_back = [(number, at - number * 0.001) for at, number in came if at - number * 0.001 > 0.011]
    assert all(delay == pytest.approx(0.0155) for _, delay in held_back)


def test_duplicates_come_twice_and_at_once() -> None:
    link, came = delivered(Conditions(duplicate=0.2), 5_000)
    assert link.counts.duplicated / 5_000 == pytest.approx(0.2, rel=0.1)
    assert len(came) == 5_000 + link.counts.duplicated == link.counts.delivered


def test_a_bottleneck_carries_its_rate_and_drops_the_rest_at_the_tail() -> None:
    # Twice of what fits, for ten seconds.
    link, came = delivered(Conditions(bottleneck=constant(BITS * 500)), 10_000)
    assert came[-1][0] == pytest.approx(10.2, abs=0.01)
    assert len(came) == pytest.approx(500 * 10.2, rel=0.01)
    assert link.counts.overflowed == 10_000 - len(came)
    gaps = [after - before for (before, _), (after, _) in pairwise(came)]
    assert all(gap == pytest.approx(0.002) for gap in gaps)


def test_a_queue_adds_no_more_delay_than_it_holds() -> None:
    _, came = delivered(Conditions(bottleneck=constant(BITS * 500, queue_seconds=0.1)), 5_000)
    waits = [at - number * 0.001 for at, number in came]
    assert max(waits) == pytest.approx(0.1 + 0.002, abs=0.002)
    assert waits[-1] > 0.095


def test_a_trace_is_followed_and_repeated() -> None:
    steps = (Step(1.0, BITS * 500), Step(1.0, 0.0), Step(2.0, BITS * 100))
    _, came = delivered(Conditions(bottleneck=Bottleneck(steps, 10 * SIZE)), 8_000)
    seconds = [sum(1 for at, _ in came if second < at <= second + 1) for second in range(8)]
    assert seconds == pytest.approx([500, 0, 100, 100] * 2, abs=2)


def test_after_a_pause_what_waited_comes_at_once() -> None:
    link = Link(Conditions(delay=0.01), seed=1, now=0.0)
    link.push(0, packet(0), now=0.0)
    link.pause(2.0, now=0.005)
    link.push(0, packet(1), now=0.5)
    assert [int.from_bytes(data[:4], "big") for _, data in link.due(2.0)] == [0]
    assert list(link.due(2.014)) == []
    assert link.next_at() == pytest.approx(2.015)
    assert [int.from_bytes(data[:4], "big") for _, data in link.due(2.0151)] == [1]


def test_a_pause_outlasts_a_change_of_the_link() -> None:
    link = Link(PERFECT, seed=1, now=0.0)
    link.pause(2.0, now=0.0)
    link.change(Conditions(bottleneck=constant(BITS)), now=1.0)
    link.push(0, packet(0), now=1.0)
    assert link.next_at() == pytest.approx(3.0)


def test_what_is_under_way_has_a_bound() -> None:
    link = Link(Conditions(delay=1.0), seed=1, now=0.0)
    for _ in range(MOST_UNDER_WAY + 5):
        link.push(0, b"", now=0.0)
    assert link.counts.overflowed == 5


def test_what_waits_when_the_link_changes_goes_by_the_new_rate() -> None:
    link = Link(Conditions(bottleneck=constant(BITS, queue_seconds=100)), seed=1, now=0.0)
    for number in range(11):
        link.push(0, packet(number), now=0.0)
    assert len(list(link.due(1.0))) == 1
    link.change(Conditions(bottleneck=constant(BITS * 10, queue_seconds=100)), now=1.0)
    assert len(list(link.due(2.001))) == 10


def test_the_same_seed_does_the_same() -> None:
    rough = Conditions(0.1, Bursts(0.02, 0.3), 0.02, 0.01, 0.05, 0.02, 0.05, constant(BITS * 800))
    assert delivered(rough, 2_000)[1] == delivered(rough, 2_000)[1]
    assert delivered(rough, 2_000)[1] != delivered(rough, 2_000, seed=8)[1]


@given(
    st.builds(
        Conditions,
        loss=st.floats(0, 0.5),
        bursts=st.none() | st.builds(Bursts, st.floats(0.01, 1), st.floats(0.01, 1)),
        delay=st.floats(0, 1),
        jitter=st.floats(0, 0.1),
        reorder=st.floats(0, 1),
        duplicate=st.floats(0, 1),
        bottleneck=st.none()
        | st.builds(
            Bottleneck,
            st.lists(st.builds(Step, st.floats(0.01, 2), st.floats(1e4, 1e7)), min_size=1, max_size=4).map(tuple),
            st.integers(0, 100_000),
        ),
    ),
    st.integers(0, 1000),
)
def test_every_packet_is_accounted_for(conditions: Conditions, seed: int) -> None:
    link, came = delivered(conditions, 300, seed=seed)
    counts = dataclasses.asdict(link.counts)
    assert counts["taken"] == 300
    assert counts["taken"] == counts["lost"] + counts["overflowed"] + counts["delivered"] - counts["duplicated"]
    assert len(came) == counts["delivered"]
    assert all(at >= number * 0.001 + conditions.delay - 1e-6 for at, number in came)
    assert link.next_at() is None


def test_a_link_that_never_moves_anything_is_a_mistake() -> None:
    for trace in ((), (Step(1.0, 0.0),), (Step(0.0, 1.0),)):
        with pytest.raises(ValueError, match="trace"):
            Bottleneck(trace, 1000)
