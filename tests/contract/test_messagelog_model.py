"""Any sequence of calls reads as it does in a dictionary, on every log."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from kernel.errors import Conflict, NotFound
from kernel.ids import milliseconds_of
from kernel.messagelog import LogEntry
from tests.contract.messagelogs import BACKENDS, DAY_MS, Log, id_at, open_log

# A few moments that lie in one bucket, in neighbouring ones and years apart, and a few keys: collisions are the point.
DAYS = st.sampled_from([0.0, 0.001, 1.0, 9.9, 10.0, 10.1, 35.0, 400.0, 4000.0])
KEYS = st.sampled_from(["a", "b", "c", "d", "é", "👍"])
BODIES = st.binary(max_size=8)
NOW_MS = int(time.time() * 1000)


class LikeADictionary(RuleBasedStateMachine):
    runner: ClassVar[asyncio.Runner]
    log: ClassVar[Log]

    def __init__(self) -> None:
        super().__init__()
        self.conversation = uuid.uuid4()
        self.entries: dict[uuid.UUID, LogEntry] = {}

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(call)

    def ordered(self) -> list[LogEntry]:
        return [self.entries[identifier] for identifier in sorted(self.entries)]

    def some_id(self, days: float, pick: int) -> uuid.UUID:
        """One that is stored, mostly; the bounds of real readers are entries they have seen."""
        stored = sorted(self.entries)
        return stored[pick % len(stored)] if stored and pick % 4 else id_at(NOW_MS - int(days * DAY_MS))

    @rule(days=DAYS, key=KEYS, body=BODIES)
    def append(self, days: float, key: str, body: bytes) -> None:
        given = LogEntry(self.conversation, id_at(NOW_MS - int(days * DAY_MS)), key, body)
        stored = next((entry for entry in self.entries.values() if entry.key == key), given)
        assert self.run(self.log.append(given)) == stored
        self.entries[stored.id] = stored

    @rule(days=DAYS, body=BODIES)
    def append_new(self, days: float, body: bytes) -> None:
        given = LogEntry(self.conversation, id_at(NOW_MS - int(days * DAY_MS)), uuid.uuid4().hex, body)
        assert self.run(self.log.append(given)) == given
        self.entries[given.id] = given

    @rule(days=DAYS, pick=st.integers(0, 100), off=st.sampled_from([0, 0, 0, -1, 1]), body=BODIES)
    def amend(self, days: float, pick: int, off: int, body: bytes) -> None:
        identifier = self.some_id(days, pick)
        known = self.entries.get(identifier)
        expected = (known.version if known else 1) + off
        call = self.log.amend(self.conversation, identifier, expected_version=expected, body=body)
        if known is None:
            with pytest.raises(NotFound):
                self.run(call)
        elif off:
            with pytest.raises(Conflict):
                self.run(call)
        else:
            self.entries[identifier] = replace(known, version=known.version + 1, body=body)
            assert self.run(call) == self.entries[identifier]

    @rule(days=DAYS, pick=st.integers(0, 100))
    def forget(self, days: float, pick: int) -> None:
        bound = self.some_id(days, pick)
        gone = [identifier for identifier in self.entries if identifier < bound]
        assert self.run(self.log.forget(self.conversation, older_than=bound)) == len(gone)
        for identifier in gone:
            del self.entries[identifier]

    @rule(days=DAYS, pick=st.integers(0, 100), limit=st.integers(1, 6))
    def read_around(self, days: float, pick: int, limit: int) -> None:
        bound = self.some_id(days, pick)
        below = [entry for entry in self.ordered() if entry.id < bound]
        above = [entry for entry in self.ordered() if entry.id > bound]
        assert list(self.run(self.log.before(self.conversation, bound, limit=limit))) == below[::-1][:limit]
        assert list(self.run(self.log.after(self.conversation, bound, limit=limit))) == above[:limit]

    @rule(days=DAYS, pick=st.integers(0, 100))
    def get(self, days: float, pick: int) -> None:
        identifier = self.some_id(days, pick)
        assert self.run(self.log.get(self.conversation, identifier)) == self.entries.get(identifier)

    @invariant()
    def all_of_it_reads_the_same(self) -> None:
        assert list(self.run(self.log.after(self.conversation, None, limit=1000))) == self.ordered()
        assert all(milliseconds_of(identifier) <= NOW_MS for identifier in self.entries)


@pytest.mark.slow(alone=False)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_sequence_of_calls_reads_as_in_a_dictionary(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        log = runner.run(stack.enter_async_context(open_log(backend, request, tmp_path, {})))
        try:
            machine = type("Here", (LikeADictionary,), {"runner": runner, "log": log})
            run_state_machine_as_test(
                machine, settings=settings(max_examples=40, stateful_step_count=30, deadline=None, database=None)
            )
        finally:
            runner.run(stack.aclose())
