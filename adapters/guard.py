"""The one way out of the process: every call to a store has a timeout, a circuit and a metric."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import TypeVar

from kernel.breaker import Circuit, CircuitBreaker
from kernel.clock import Clock
from kernel.errors import DependencyUnavailable, SecureConnectError
from kernel.health import ProbeResult
from kernel.metrics import Metrics

Result = TypeVar("Result")

# Five failures in a row are an outage, not noise; a probe every quarter to half a second keeps
# recovery well under the two seconds we promise after a store is back.
FAILURES_TO_OPEN = 5
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 0.5

_UNTRACED: AbstractContextManager[object] = nullcontext()


class Guard:
    """Wraps calls to one dependency; ``outages`` are its client's exceptions that mean "not reachable".

    Those and timeouts become DependencyUnavailable and count against the circuit. Every other exception
    passes through unchanged and counts as an answer: the store is there.
    """

    def __init__(
        self,
        dependency: str,
        *,
        timeout: float,
        outages: Collection[type[BaseException]],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.dependency = dependency
        self.timeout = timeout
        self._outages = tuple(outages)
        self._clock = clock
        self._tracing = metrics.tracing
        self._breaker = CircuitBreaker(threshold=FAILURES_TO_OPEN, pause=FIRST_PAUSE, longest_pause=LONGEST_PAUSE)
        labels = ("dependency",)
        self._latency = metrics.histogram("dependency_seconds", "Time of calls to a dependency", labels).labels(
            dependency
        )
        errors = metrics.counter(
            "dependency_errors_total",
            "Calls to a dependency that failed, by reason",
            ("dependency", "reason"),
        )
        self._errors = {reason: errors.labels(dependency, reason) for reason in ("timeout", "outage", "circuit_open")}
        state = metrics.gauge(
            "dependency_circuit_open", "1 while the circuit to a dependency is not closed", labels
        ).labels(dependency)
        state.set_function(lambda: float(self.circuit is not Circuit.CLOSED))

    @property
    def circuit(self) -> Circuit:
        return self._breaker.state(self._clock.monotonic())

    async def call(self, operation: Callable[[], Awaitable[Result]], *, timeout: float | None = None) -> Result:
        async with self.guarded(timeout=timeout):
            return await operation()

    @asynccontextmanager
    async def guarded(self, *, timeout: float | None = None) -> AsyncIterator[None]:
        """The same promise for a block: everything awaited inside shares one timeout and one verdict."""
        bound = self.timeout if timeout is None else timeout
        started = self._clock.monotonic()
        if not self._breaker.admits(started, probe_timeout=bound):
            self._errors["circuit_open"].inc()
            pause = self._breaker.retry_after(started)
            raise DependencyUnavailable(
                self.dependency, "its circuit is open after repeated failures", retry_after=pause
            )
        with self._tracing.dependency(self.dependency) if self._tracing.active else _UNTRACED:
            async with self._verdict(bound):
                yield
        self._latency.observe(self._clock.monotonic() - started)

    async def probe(self, operation: Callable[[], Awaitable[object]]) -> ProbeResult:
        """Run ``operation`` past an open circuit and report; its success closes the circuit."""
        started = self._clock.monotonic()
        error: str | None = None
        try:
            async with self._verdict(self.timeout):
                await operation()
        except SecureConnectError as failure:
            error = failure.detail
        except Exception as failure:  # noqa: BLE001 - whatever a client raises is a finding here, not a crash
            error = f"{self.dependency} answered with {type(failure).__name__}: {_first_line(failure)}"
        return ProbeResult(error is None, self._clock.monotonic() - started, self.circuit, error)

    @asynccontextmanager
    async def _verdict(self, bound: float) -> AsyncIterator[None]:
        scope = asyncio.timeout(bound)
        cancelled_before = _cancellations()
        try:
            async with scope:
                yield
        except DependencyUnavailable:
            raise  # a guarded call inside this block has counted it
        except asyncio.CancelledError as error:
            if _cancellations() > cancelled_before:
                raise
            # Nobody cancelled this task: the client gave up a future of its own, as some do with a lost connection.
            self._count_failure("outage")
            raise DependencyUnavailable(self.dependency, "its client gave the call up") from error
        except Exception as error:
            # Our own deadline first, whatever the client made of being cancelled by it; a TimeoutError of the
            # client's own is its word for "unreachable".
            if scope.expired():
                self._count_failure("timeout")
                raise DependencyUnavailable(self.dependency, f"no answer within {bound:g} s") from error
            if _cancellations() > cancelled_before:
                raise asyncio.CancelledError from error  # hidden in an error by the client; it has to go on
            if isinstance(error, self._outages):
                self._count_failure("outage")
                reason = f"{type(error).__name__} ({_first_line(error)})"
                raise DependencyUnavailable(self.dependency, reason) from error
            self._breaker.succeeded()
            raise
        else:
            self._breaker.succeeded()

    def _count_failure(self, reason: str) -> None:
        self._errors[reason].inc()
        self._breaker.failed(self._clock.monotonic())


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no message"
