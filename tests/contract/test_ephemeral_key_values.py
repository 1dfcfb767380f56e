"""kernel.ephemeral.KeyValues, in memory and over Redis."""

from __future__ import annotations

import asyncio
import math

import pytest

from kernel.ephemeral import MAX_KEY_BYTES, MAX_TTL
from tests.contract.ephemeral import Nodes


async def test_what_one_node_writes_the_other_reads(nodes: Nodes) -> None:
    assert await nodes.first.key_values.put("chat:ticket:1", b"value", ttl=60) is True
    assert await nodes.second.key_values.get("chat:ticket:1") == b"value"


async def test_a_key_that_was_never_written_is_none(nodes: Nodes) -> None:
    assert await nodes.first.key_values.get("nothing") is None
    assert await nodes.first.key_values.delete("nothing") is False
    assert await nodes.first.key_values.touch("nothing", ttl=1) is False


async def test_a_value_ends_with_its_ttl(nodes: Nodes) -> None:
    values = nodes.first.key_values
    await values.put("short", b"1", ttl=0.1)
    await values.put("long", b"2", ttl=60)
    await nodes.elapse(0.1)
    assert await values.get("short") is None
    assert await values.delete("short") is False
    assert await values.touch("short", ttl=60) is False
    assert await values.get_many(["short", "long"]) == {"long": b"2"}


async def test_writing_again_replaces_the_value_and_restarts_the_ttl(nodes: Nodes) -> None:
    values = nodes.first.key_values
    await values.put("k", b"first", ttl=0.15)
    assert await values.put("k", b"second", ttl=60) is True
    await nodes.elapse(0.15)
    assert await values.get("k") == b"second"
    await values.put("k", b"third", ttl=0.1)
    await nodes.elapse(0.1)
    assert await values.get("k") is None


async def test_touching_restarts_the_ttl_in_either_direction(nodes: Nodes) -> None:
    values = nodes.first.key_values
    await values.put("longer", b"", ttl=0.1)
    await values.put("shorter", b"", ttl=60)
    assert await values.touch("longer", ttl=60) is True
    assert await values.touch("shorter", ttl=0.1) is True
    await nodes.elapse(0.1)
    assert await values.get_many(["longer", "shorter"]) == {"longer": b""}


async def test_only_the_first_of_many_writes_if_absent_wins(nodes: Nodes) -> None:
    both = (nodes.first.key_values, nodes.second.key_values)
    wins = await asyncio.gather(
        *(both[number % 2].put("once", b"%d" % number, ttl=60, if_absent=True) for number in range(60))
    )
    assert sum(wins) == 1
    assert await nodes.first.key_values.get("once") == b"%d" % wins.index(True)


async def test_absent_again_once_deleted_or_ended(nodes: Nodes) -> None:
    values = nodes.first.key_values
    await values.put("k", b"1", ttl=0.1, if_absent=True)
    assert await values.put("k", b"2", ttl=60, if_absent=True) is False
    await nodes.elapse(0.1)
    assert await values.put("k", b"3", ttl=60, if_absent=True) is True
    assert await values.delete("k") is True
    assert await values.put("k", b"4", ttl=60, if_absent=True) is True
    assert await values.get("k") == b"4"


async def test_only_one_of_many_deletes_sees_the_key(nodes: Nodes) -> None:
    await nodes.first.key_values.put("single-use", b"", ttl=60)
    both = (nodes.first.key_values, nodes.second.key_values)
    assert sum(await asyncio.gather(*(both[number % 2].delete("single-use") for number in range(40)))) == 1


async def test_many_are_read_at_once_and_missing_ones_are_left_out(nodes: Nodes) -> None:
    values = nodes.first.key_values
    await asyncio.gather(*(values.put(f"k{number}", b"%d" % number, ttl=60) for number in range(0, 1000, 2)))
    found = await nodes.second.key_values.get_many([f"k{number}" for number in range(1000)])
    assert found == {f"k{number}": b"%d" % number for number in range(0, 1000, 2)}
    assert await values.get_many([]) == {}


@pytest.mark.parametrize("value", [b"", b"\x00\xff\r\n$5\r\n", bytes(range(256)) * 4096], ids=["empty", "raw", "1 MiB"])
async def test_any_bytes_come_back_as_they_were(nodes: Nodes, value: bytes) -> None:
    await nodes.first.key_values.put("k", value, ttl=60)
    assert await nodes.second.key_values.get("k") == value


async def test_any_text_is_a_key_of_its_own(nodes: Nodes) -> None:
    keys = ["ключ", "キー", "🗝️", "a b", "a\nb", "a\x00b", "{a}b", "a*", "A", "a", "e\u0301", "\u00e9"]
    for number, key in enumerate(keys):
        await nodes.first.key_values.put(key, b"%d" % number, ttl=60)
    assert await nodes.second.key_values.get_many(keys) == {key: b"%d" % number for number, key in enumerate(keys)}


async def test_a_key_has_at_most_512_bytes_however_they_are_spelled(nodes: Nodes) -> None:
    values = nodes.first.key_values
    longest = "ü" * (MAX_KEY_BYTES // 2)
    await values.put(longest, b"fits", ttl=60)
    assert await values.get(longest) == b"fits"
    for key in ("", longest + "a", "x" * (MAX_KEY_BYTES + 1)):
        with pytest.raises(ValueError, match="a key has 1 to 512 bytes"):
            await values.put(key, b"", ttl=60)
        with pytest.raises(ValueError, match="a key has 1 to 512 bytes"):
            await values.get(key)


async def test_a_value_may_live_for_years(nodes: Nodes) -> None:
    assert await nodes.first.key_values.put("k", b"", ttl=MAX_TTL) is True
    assert await nodes.first.sets.add("k", "member", ttl=MAX_TTL) is True
    assert await nodes.first.key_values.get("k") == b""
    assert await nodes.first.sets.members("k") == {"member"}


@pytest.mark.parametrize("ttl", [0, -1, MAX_TTL * 1.01, math.inf, math.nan])
async def test_a_ttl_is_above_zero_and_not_for_ever(nodes: Nodes, ttl: float) -> None:
    with pytest.raises(ValueError, match="TTL"):
        await nodes.first.key_values.put("k", b"", ttl=ttl)
    with pytest.raises(ValueError, match="TTL"):
        await nodes.first.key_values.touch("k", ttl=ttl)


async def test_a_ttl_below_a_millisecond_is_short_but_no_error(nodes: Nodes) -> None:
    assert await nodes.first.key_values.put("k", b"", ttl=0.0001) is True
    await nodes.elapse(0.01)
    assert await nodes.first.key_values.get("k") is None
