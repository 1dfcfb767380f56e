"""What waits for a participant: bounded, in order, numbered without gaps."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from signaling import outbox
from signaling.frames import answering
from signaling.outbox import MOST_KEPT, MOST_KEPT_BYTES, MOST_PENDING, MOST_PENDING_BYTES, Budget, Outbox, Record


def parsed(frame: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(frame)
    return found


# --- the outbox ----------------------------------------------------------------------------------------------


def test_frames_leave_in_the_order_in_which_they_came_and_what_a_socket_begins_with_first() -> None:
    box = Outbox()
    assert box.put(b"b")
    box.begin([b"a1", b"a2"])
    assert box.put(b"c")
    assert [box.take() for _ in range(5)] == [b"a1", b"a2", b"b", b"c", None]


def test_so_many_frames_may_be_pending_and_one_that_was_taken_makes_room() -> None:
    box = Outbox()
    assert all(box.put(b"x") for _ in range(MOST_PENDING))
    assert not box.put(b"y")
    assert box.take() == b"x"
    assert box.put(b"y")
    assert not box.put(b"z")


def test_so_many_bytes_may_be_pending() -> None:
    box = Outbox()
    half = b"x" * (MOST_PENDING_BYTES // 2)
    assert box.put(half)
    assert box.put(half)
    assert not box.put(b"y")
    box.take()
    assert box.put(b"y")


def test_one_frame_fits_into_an_empty_outbox_however_large_it_is() -> None:
    box = Outbox()
    assert box.put(b"x" * (MOST_PENDING_BYTES + 1))
    assert not box.put(b"y")


def test_what_a_socket_begins_with_does_not_count() -> None:
    box = Outbox()
    box.begin([b"x" * 1000] * 2 * MOST_PENDING)
    assert all(box.put(b"y") for _ in range(MOST_PENDING))
    assert not box.put(b"y")


def test_what_is_dropped_is_gone_and_counts_no_more() -> None:
    box = Outbox()
    box.begin([b"a"])
    while box.put(b"x" * 100_000):
        pass
    box.drop()
    assert (len(box), box.take()) == (0, None)
    assert box.put(b"x" * MOST_PENDING_BYTES)


@given(st.lists(st.one_of(st.none(), st.integers(0, MOST_PENDING_BYTES)), max_size=200))
def test_whatever_is_put_and_taken_the_bounds_hold(steps: list[int | None]) -> None:
    box, inside = Outbox(), list[int]()
    for step in steps:
        if step is None:
            taken = box.take()
            assert taken is None if not inside else len(taken or b"") == inside.pop(0)
        elif box.put(b"x" * step):
            inside.append(step)
        else:
            assert len(inside) >= MOST_PENDING or sum(inside) + step > MOST_PENDING_BYTES
        assert len(box) == len(inside) <= MOST_PENDING
        assert sum(inside) <= MOST_PENDING_BYTES or len(inside) == 1


# --- the record ----------------------------------------------------------------------------------------------


def test_what_is_said_is_numbered_from_one_without_gaps() -> None:
    record = Record()
    frames = [parsed(record.add("speakers", b'{"n":%d}' % number)) for number in range(3)]
    assert frames == [{"type": "speakers", "seq": number + 1, "data": {"n": number}} for number in range(3)]
    assert record.last == 3


@given(st.integers(0, 3 * MOST_KEPT), st.integers(-2, 3 * MOST_KEPT + 2))
def test_what_was_missed_is_all_that_came_after_or_nothing(said: int, heard: int) -> None:
    record = Record()
    frames = [record.add("mode", b"%d" % number) for number in range(1, said + 1)]
    missed = record.after(heard)
    if 0 <= heard <= said and said - heard <= MOST_KEPT:
        assert missed == frames[heard:]
    else:
        assert missed is None


def test_a_record_keeps_so_many_bytes_and_the_latest_however_large_it_is() -> None:
    record = Record()
    for _ in range(11):
        record.add("data", b"1" * (MOST_KEPT_BYTES // 10))
    assert record.after(0) is None
    assert len(record.after(1) or ()) == 10
    record.add("data", b"1" * (MOST_KEPT_BYTES + 1))
    assert record.after(10) is None
    assert len(record.after(11) or ()) == 1


def test_data_that_many_are_told_is_kept_once() -> None:
    shared = b'{"large":true}'
    records = [Record() for _ in range(3)]
    for record in records:
        record.add("speakers", shared)
    assert all(record._kept[0][1] is shared for record in records)


# --- the budget ----------------------------------------------------------------------------------------------


def test_a_burst_is_taken_and_then_so_many_a_second() -> None:
    budget = Budget(rate=50.0, burst=100, now=0.0)
    assert sum(budget.take(0.0) for _ in range(200)) == 100
    assert sum(budget.take(1.0) for _ in range(200)) == 50
    assert sum(budget.take(1_000.0) for _ in range(200)) == 100


def test_what_costs_more_empties_it_sooner_and_what_is_refused_costs_nothing() -> None:
    budget = Budget(rate=50.0, burst=100, now=0.0)
    assert sum(budget.take(0.0, 5) for _ in range(100)) == 20
    assert budget.take(0.09, 5) is False
    assert [budget.take(0.09) for _ in range(5)] == [True] * 4 + [False]


@given(st.lists(st.floats(0, 0.5), max_size=300))
def test_over_any_time_no_more_is_taken_than_the_burst_and_the_rate(waits: list[float]) -> None:
    budget, now, taken = Budget(rate=50.0, burst=100, now=0.0), 0.0, 0
    for wait in waits:
        now += wait
        taken += budget.take(now)
        assert taken <= 100 + 50.0 * now + 1e-6


def test_a_clock_that_stands_still_or_goes_back_earns_nothing() -> None:
    budget = Budget(rate=50.0, burst=1, now=10.0)
    assert budget.take(10.0)
    assert not budget.take(5.0)
    assert not budget.take(10.0)


# --- frames --------------------------------------------------------------------------------------------------


@given(st.text(min_size=1, max_size=64).filter(lambda text: text.isprintable()))
def test_an_answer_has_the_id_of_its_request_however_that_is_spelt(number: str) -> None:
    assert parsed(answering("reply", number, {"a": 1})) == {"type": "reply", "id": number, "data": {"a": 1}}


def test_what_answers_no_request_has_no_id() -> None:
    assert parsed(answering("error", None, {})) == {"type": "error", "data": {}}


def test_the_bounds_are_those_that_the_manual_names() -> None:
    assert (outbox.MOST_PENDING, outbox.MOST_PENDING_BYTES) == (64, 1_000_000)
