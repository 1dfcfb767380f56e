"""kernel.ephemeral.Locks, in memory and over Redis."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from kernel.ephemeral import Lease
from tests.contract.ephemeral import Nodes


async def _held(lease: Lease | None) -> Lease:
    assert lease is not None
    return lease


async def test_one_of_many_gets_the_lock(nodes: Nodes) -> None:
    both = (nodes.first.locks, nodes.second.locks)
    leases = await asyncio.gather(*(both[number % 2].acquire("sweeper", ttl=60) for number in range(60)))
    assert len([lease for lease in leases if lease is not None]) == 1


async def test_locks_of_different_names_are_held_side_by_side(nodes: Nodes) -> None:
    names = ["a", "b", "{a}", "a}", "}", "{", "{}", "%7D", "ü"]
    leases = [await _held(await nodes.first.locks.acquire(name, ttl=60)) for name in names]
    assert [lease.name for lease in leases] == names
    assert all([await nodes.second.locks.release(lease) for lease in leases])


async def test_a_released_lock_is_free_for_the_next(nodes: Nodes) -> None:
    first = await _held(await nodes.first.locks.acquire("l", ttl=60))
    assert await nodes.second.locks.acquire("l", ttl=60) is None
    assert await nodes.first.locks.release(first) is True
    assert await nodes.first.locks.release(first) is False
    assert await nodes.second.locks.acquire("l", ttl=60) is not None


async def test_fences_grow_with_every_grant_even_past_expiry(nodes: Nodes) -> None:
    fences = []
    for round_number in range(6):
        node = (nodes.first, nodes.second)[round_number % 2]
        lease = await _held(await node.locks.acquire("l", ttl=0.03))
        fences.append(lease.fence)
        if round_number % 3:
            await node.locks.release(lease)
        else:
            await nodes.elapse(0.03)
    assert fences == sorted(set(fences))


async def test_a_lease_that_ran_out_is_neither_renewed_nor_released(nodes: Nodes) -> None:
    late = await _held(await nodes.first.locks.acquire("l", ttl=0.05))
    await nodes.elapse(0.05)
    assert await nodes.first.locks.renew(late, ttl=60) is False
    current = await _held(await nodes.second.locks.acquire("l", ttl=60))
    assert current.fence > late.fence
    assert await nodes.first.locks.renew(late, ttl=60) is False
    assert await nodes.first.locks.release(late) is False
    assert await nodes.second.locks.renew(current, ttl=60) is True


async def test_renewing_keeps_the_lock_beyond_its_first_ttl(nodes: Nodes) -> None:
    lease = await _held(await nodes.first.locks.acquire("l", ttl=0.1))
    assert await nodes.first.locks.renew(lease, ttl=60) is True
    await nodes.elapse(0.1)
    assert await nodes.second.locks.acquire("l", ttl=60) is None


async def test_a_lease_someone_made_up_opens_nothing(nodes: Nodes) -> None:
    lease = await _held(await nodes.first.locks.acquire("l", ttl=60))
    for forged in (replace(lease, holder="someone else"), replace(lease, fence=lease.fence + 1)):
        assert await nodes.first.locks.renew(forged, ttl=60) is False
        assert await nodes.first.locks.release(forged) is False
    assert await nodes.first.locks.release(lease) is True


async def test_what_the_lock_protects_is_done_by_one_at_a_time(nodes: Nodes) -> None:
    inside = 0
    fences: list[int] = []

    async def worker(number: int) -> None:
        nonlocal inside
        locks = (nodes.first.locks, nodes.second.locks)[number % 2]
        turns = 0
        while turns < 5:
            lease = await locks.acquire("l", ttl=60)
            if lease is not None:
                inside += 1
                assert inside == 1
                fences.append(lease.fence)
                await asyncio.sleep(0)
                inside -= 1
                turns += 1
                assert await locks.release(lease) is True
            await asyncio.sleep(0)

    await asyncio.gather(*(worker(number) for number in range(8)))
    assert len(fences) == 40
    assert fences == sorted(set(fences))


async def test_a_ttl_is_above_zero(nodes: Nodes) -> None:
    with pytest.raises(ValueError, match="TTL"):
        await nodes.first.locks.acquire("l", ttl=0)
