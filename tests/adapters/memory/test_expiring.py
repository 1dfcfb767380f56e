"""adapters.memory.expiring: a bounded table whose entries end by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.expiring import SLACK, SWEEP, ExpiringTable
from kernel.errors import Overloaded

KEYS = st.sampled_from("abcdef")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.floats(0.5, 20)),
        st.tuples(st.just("expire"), KEYS, st.floats(0.5, 20)),
        st.tuples(st.just("pop"), KEYS, st.none()),
        st.tuples(st.just("pass"), st.none(), st.floats(0, 10)),
    ),
    max_size=60,
)


@given(STEPS)
def test_a_table_answers_as_a_plain_mapping_of_ends_would(steps: list[tuple[str, str, float]]) -> None:
    table: ExpiringTable[str, int] = ExpiringTable("things", entries=100)
    ends: dict[str, float] = {}
    now = 0.0
    for step, (name, key, seconds) in enumerate(steps):
        if name == "pass":
            now += seconds
        elif name == "put":
            table.put(key, step, now + seconds, now)
            ends[key] = now + seconds
        elif name == "pop":
            assert table.pop(key, now) == (ends.pop(key, -1.0) > now)
        elif (entry := table.get(key, now)) is not None:
            table.expire(key, entry, now + seconds)
            ends[key] = now + seconds
        for each in "abcdef":
            assert (table.get(each, now) is not None) == (ends.get(each, -1.0) > now)
    table.sweep(now, 1_000)
    assert len(table) == sum(end > now for end in ends.values())


def test_ended_entries_are_swept_by_writes_a_few_at_a_time() -> None:
    table: ExpiringTable[str, None] = ExpiringTable("things", entries=10_000)
    for number in range(1_000):
        table.put(f"old {number}", None, 1.0, 0.0)
    table.put("new", None, 100.0, 50.0)
    assert len(table) == 1_000 - SWEEP + 1
    for number in range(1_000 // SWEEP):
        table.put(f"new {number}", None, 100.0, 50.0)
    assert len(table) == 1_000 // SWEEP + 1


def test_a_full_table_refuses_and_keeps_what_it_has() -> None:
    table: ExpiringTable[str, int] = ExpiringTable("things", entries=3)
    for key in "abc":
        table.put(key, 1, 10.0, 0.0)
    with pytest.raises(Overloaded, match="too much things"):
        table.put("d", 1, 10.0, 5.0)
    table.put("a", 2, 20.0, 5.0)
    table.put("d", 1, 20.0, 10.0)
    assert sorted(key for key in "abcd" if table.get(key, 10.0)) == ["a", "d"]


def test_a_full_table_makes_room_even_if_many_entries_were_prolonged() -> None:
    table: ExpiringTable[str, None] = ExpiringTable("things", entries=100)
    for number in range(100):
        table.put(f"{number}", None, 1.0 + number / 1_000, 0.0)
    for number in range(99):
        entry = table.get(f"{number}", 0.0)
        assert entry is not None
        table.expire(f"{number}", entry, 1_000.0)
    table.put("newcomer", None, 1_000.0, 2.0)
    assert table.get("newcomer", 2.0) is not None


def test_weight_is_bounded_and_given_back() -> None:
    table: ExpiringTable[str, bytes] = ExpiringTable("data", entries=100, weight=10)
    table.put("a", b"x" * 8, 10.0, 0.0, weight=8)
    with pytest.raises(Overloaded):
        table.put("b", b"xxx", 10.0, 0.0, weight=3)
    table.put("a", b"x", 10.0, 0.0, weight=1)
    table.put("b", b"xxx", 10.0, 0.0, weight=3)
    assert table.weight == 4
    assert table.pop("b", 0.0)
    table.put("c", b"x" * 10, 20.0, 15.0, weight=10)
    assert table.weight == 10


@pytest.mark.parametrize("step", ["recreate", "shorten"])
def test_its_calendar_does_not_outgrow_it(step: str) -> None:
    table: ExpiringTable[str, None] = ExpiringTable("things", entries=10)
    table.put("k", None, 1e9, 0.0)
    for end in range(10_000, 0, -1):
        if step == "recreate":
            table.pop("k", 0.0)
            table.put("k", None, end, 0.0)
        elif (entry := table.get("k", 0.0)) is not None:
            table.expire("k", entry, end)
        assert len(table._heap) <= 2 * len(table) + SLACK + 1
    assert table.get("k", 0.5) is not None
