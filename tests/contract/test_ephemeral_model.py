"""The embedded store is the model of the real one: any sequence of calls answers the same on both.

Time stands still here (no TTL runs out); expiry has its own tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, ClassVar

import pytest
import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from kernel.ephemeral import Lease
from tests.contract.ephemeral import Node, memory_nodes, redis_node, redis_settings
from tests.services.redis import RedisService

NAMES = st.sampled_from(["a", "b", "{a}", "ä:1"])
VALUES = st.binary(max_size=64)
MEMBERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
TTLS = st.floats(min_value=100, max_value=1_000)
NEVER = 1e-6


class TwoStores(RuleBasedStateMachine):
    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.stack = AsyncExitStack()
        self.memory = self.runner.run(self.stack.enter_async_context(memory_nodes())).first
        self.redis = self.runner.run(self.stack.enter_async_context(redis_node(redis_settings(self.url))))
        self.leases: list[tuple[Lease, Lease]] = []

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()

    def both(self, call: Any) -> tuple[Any, Any]:
        async def run(node: Node) -> Any:
            answer: Coroutine[Any, Any, Any] = call(node)
            return await answer

        return self.runner.run(run(self.memory)), self.runner.run(run(self.redis))

    def same(self, call: Any) -> None:
        model, real = self.both(call)
        assert model == real

    @rule(name=NAMES, value=VALUES, ttl=TTLS, if_absent=st.booleans())
    def put(self, name: str, value: bytes, ttl: float, if_absent: bool) -> None:
        self.same(lambda node: node.key_values.put(name, value, ttl=ttl, if_absent=if_absent))

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        self.same(lambda node: node.key_values.delete(name))

    @rule(name=NAMES, ttl=TTLS)
    def touch(self, name: str, ttl: float) -> None:
        self.same(lambda node: node.key_values.touch(name, ttl=ttl))

    @rule(names=st.lists(NAMES, max_size=4))
    def get_many(self, names: list[str]) -> None:
        self.same(lambda node: node.key_values.get_many(names))

    @rule(name=NAMES, member=MEMBERS, ttl=TTLS)
    def join(self, name: str, member: str, ttl: float) -> None:
        self.same(lambda node: node.sets.add(name, member, ttl=ttl))

    @rule(name=NAMES, member=MEMBERS)
    def leave(self, name: str, member: str) -> None:
        self.same(lambda node: node.sets.remove(name, member))

    @rule(name=NAMES, by=st.integers(-1_000, 1_000), ttl=TTLS)
    def increment(self, name: str, by: int, ttl: float) -> None:
        self.same(lambda node: node.counters.increment(name, by, ttl=ttl))

    @rule(name=NAMES, cost=st.integers(1, 5))
    def take(self, name: str, cost: int) -> None:
        model, real = self.both(lambda node: node.buckets.take(name, capacity=12, per_second=NEVER, cost=cost))
        assert (model.allowed, model.remaining) == (real.allowed, real.remaining)

    @rule(name=NAMES, ttl=TTLS)
    def acquire(self, name: str, ttl: float) -> None:
        model, real = self.both(lambda node: node.locks.acquire(name, ttl=ttl))
        assert (model is None) == (real is None)
        if model is None:
            return
        for earlier_model, earlier_real in self.leases:
            if earlier_model.name == name:
                assert model.fence > earlier_model.fence
                assert real.fence > earlier_real.fence
        self.leases.append((model, real))

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), ttl=TTLS, release=st.booleans())
    def renew_or_release_some_lease(self, data: st.DataObject, ttl: float, release: bool) -> None:
        leases = data.draw(st.sampled_from(self.leases))

        def call(node: Node) -> Coroutine[Any, Any, bool]:
            lease = leases[0] if node is self.memory else leases[1]
            return node.locks.release(lease) if release else node.locks.renew(lease, ttl=ttl)

        self.same(call)

    @invariant()
    def everything_reads_the_same(self) -> None:
        for name in ("a", "{a}"):
            self.same(lambda node, name=name: node.key_values.get(name))
            self.same(lambda node, name=name: node.sets.members(name))
            self.same(lambda node, name=name: node.counters.value(name))
        self.same(lambda node: node.sets.members_of_many(["a", "{a}", "c"]))


@pytest.mark.slow(alone=False)
def test_memory_and_redis_answer_every_sequence_of_calls_alike(redis_server: RedisService) -> None:
    machine = type("TwoStoresHere", (TwoStores,), {"url": redis_server.url})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=40, stateful_step_count=40, deadline=None, database=None)
    )
