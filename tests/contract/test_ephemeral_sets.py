"""kernel.ephemeral.TimedSets, in memory and over Redis."""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.ephemeral import Nodes


async def test_a_member_is_new_once(nodes: Nodes) -> None:
    assert await nodes.first.sets.add("room:1", "ada", ttl=60) is True
    assert await nodes.second.sets.add("room:1", "ada", ttl=60) is False
    assert await nodes.second.sets.members("room:1") == {"ada"}
    assert await nodes.second.sets.members("room:2") == frozenset()


async def test_a_removed_member_is_gone_and_new_again(nodes: Nodes) -> None:
    await nodes.first.sets.add("room", "ada", ttl=60)
    await nodes.first.sets.add("room", "bob", ttl=60)
    assert await nodes.second.sets.remove("room", "ada") is True
    assert await nodes.first.sets.remove("room", "ada") is False
    assert await nodes.first.sets.remove("elsewhere", "ada") is False
    assert await nodes.first.sets.members("room") == {"bob"}
    assert await nodes.first.sets.add("room", "ada", ttl=60) is True


async def test_members_end_one_by_one(nodes: Nodes) -> None:
    sets = nodes.first.sets
    await sets.add("room", "short", ttl=0.1)
    await sets.add("room", "long", ttl=60)
    await nodes.elapse(0.1)
    assert await nodes.second.sets.members("room") == {"long"}
    assert await sets.remove("room", "short") is False
    assert await sets.add("room", "short", ttl=60) is True
    assert await sets.members("room") == {"short", "long"}


async def test_adding_again_sets_a_new_end_in_either_direction(nodes: Nodes) -> None:
    sets = nodes.first.sets
    await sets.add("room", "kept", ttl=0.1)
    await sets.add("room", "kept", ttl=60)
    await sets.add("room", "leaving", ttl=60)
    await sets.add("room", "leaving", ttl=0.1)
    await nodes.elapse(0.1)
    assert await sets.members("room") == {"kept"}


async def test_a_set_outlives_a_shorter_member_that_was_added_last(nodes: Nodes) -> None:
    await nodes.first.sets.add("room", "long", ttl=60)
    await nodes.first.sets.add("room", "short", ttl=0.05)
    await nodes.elapse(0.1)
    assert await nodes.first.sets.members("room") == {"long"}


async def test_members_are_any_text(nodes: Nodes) -> None:
    members = {"", "ада", "🙂", "a b", "a\x00b", "x" * 2000}
    for member in members:
        assert await nodes.first.sets.add("комната", member, ttl=60) is True
    assert await nodes.second.sets.members("комната") == members


async def test_everyone_who_joins_at_once_is_there(nodes: Nodes) -> None:
    both = (nodes.first.sets, nodes.second.sets)
    # Everyone is added twice, by either node: exactly one of the two was first.
    fresh = await asyncio.gather(
        *(both[copy].add("hall", f"member {number}", ttl=60) for number in range(500) for copy in (0, 1))
    )
    assert sum(fresh) == 500
    assert len(await nodes.first.sets.members("hall")) == 500


async def test_many_sets_are_read_at_once_without_what_has_ended(nodes: Nodes) -> None:
    await nodes.first.sets.add("a", "x", ttl=60)
    await nodes.first.sets.add("b", "y", ttl=60)
    await nodes.first.sets.add("b", "short", ttl=0.1)
    await nodes.elapse(0.1)
    found = await nodes.second.sets.members_of_many(["b", "nobody's", "a"])
    assert found == {"a": {"x"}, "b": {"y"}, "nobody's": frozenset()}
    assert await nodes.second.sets.members_of_many([]) == {}


async def test_sets_of_different_keys_know_nothing_of_each_other(nodes: Nodes) -> None:
    await nodes.first.sets.add("a", "x", ttl=60)
    await nodes.first.sets.add("b", "x", ttl=60)
    await nodes.first.sets.remove("a", "x")
    assert await nodes.first.sets.members("b") == {"x"}


async def test_a_ttl_is_above_zero(nodes: Nodes) -> None:
    with pytest.raises(ValueError, match="TTL"):
        await nodes.first.sets.add("room", "ada", ttl=0)
