"""The mail server is killed, stopped and cut off while mail goes out: typed errors in time, and nothing lost."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from kernel.breaker import Circuit
from kernel.errors import DependencyUnavailable
from kernel.mail import Mailer
from tests.adapters.outbound.posted import smtp, some_mail
from tests.outages.lines import OUTAGES, connections_to, line_to
from tests.services.smtp import SmtpSink

pytestmark = pytest.mark.slow

# Long enough that a fifth of it is more than a busy machine takes the processor away for.
TIMEOUT = 1.5
LATEST = TIMEOUT * 1.2
RECOVERY = 2.0
OUTAGE = 3.5
SENDERS = 8


@dataclass
class Load:
    mailer: Mailer
    acknowledged: list[str] = field(default_factory=list)
    failures: Counter[type[Exception]] = field(default_factory=Counter)
    slowest_failure: float = 0.0
    latest_success: float = 0.0
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def sender(self) -> None:
        while True:
            message_id = f"load-{next(self.numbers)}@meet.example"
            started = time.monotonic()
            try:
                await self.mailer.send(some_mail(message_id=message_id))
            except Exception as error:  # noqa: BLE001 - its type is what the test is about
                self.failures[type(error)] += 1
                self.slowest_failure = max(self.slowest_failure, time.monotonic() - started)
            else:
                self.acknowledged.append(f"<{message_id}>")
                self.latest_success = time.monotonic()
            await asyncio.sleep(0.02)

    async def succeeds_after(self, moment: float) -> None:
        """Polled: the senders are in the middle of their loops."""
        async with asyncio.timeout(10):
            while self.latest_success <= moment:
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_is_told_in_time_and_over_when_it_is_over(smtp_sink: SmtpSink, outage: str) -> None:
    smtp_sink.clear()
    async with line_to(smtp_sink, outage) as line, smtp(smtp_sink, line.port, timeout=TIMEOUT) as outgoing:
        load = Load(outgoing.mailer)
        async with asyncio.TaskGroup() as group:
            senders = [group.create_task(load.sender()) for _ in range(SENDERS)]
            await load.succeeds_after(0.0)

            await line.begin()
            began = time.monotonic()
            probe = await outgoing.dependency.probe()
            assert not probe.ok
            assert probe.latency < LATEST
            await asyncio.sleep(OUTAGE - (time.monotonic() - began))
            assert set(load.failures) == {DependencyUnavailable}
            assert load.slowest_failure < LATEST

            await line.end()
            back = time.monotonic()
            await load.succeeds_after(back)
            recovery = time.monotonic() - back
            assert recovery < RECOVERY
            for sender in senders:
                sender.cancel()
        assert load.failures.keys() == {DependencyUnavailable}
        assert load.slowest_failure < LATEST
        probe = await outgoing.dependency.probe()
        assert probe.ok, probe.error
        assert probe.circuit is Circuit.CLOSED
        assert connections_to(line.port) == 0
        print(f"{outage}: slowest error {load.slowest_failure:.2f} s, recovered in {recovery:.2f} s")
    arrived = {received.message["Message-ID"] for received in smtp_sink.messages}
    assert set(load.acknowledged) <= arrived
