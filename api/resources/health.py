"""Is it alive, is it ready, and if not, because of what."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import msgspec
from aiohttp import web

from api.http.access import Access
from api.http.context import ClientAddresses
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View
from api.lifecycle import Lifecycle
from kernel.breaker import Circuit
from kernel.clock import Clock
from kernel.health import Dependency, ProbeResult

# Probes cost a round trip each; a crowd of checkers shares one.
PROBE_EVERY = 1.0
# Whoever asks gives up after a second or two, and a store's own timeout may be longer than that.
PATIENCE = 0.75

State = Literal["up", "degraded", "down"]


class DependencyView(View, frozen=True):
    """``error`` is only told to callers on this machine: it may name hosts."""

    name: str
    state: State
    required: bool
    latency_ms: float
    circuit: str
    error: str | None = None


class HealthView(View, frozen=True):
    status: Literal["ok", "degraded", "unavailable"]
    version: str
    uptime_seconds: float
    stopping: bool
    dependencies: list[DependencyView]


class LiveView(View, frozen=True):
    status: Literal["ok"]


class HealthChecks:
    """Runs every probe side by side; answers within a second share one run."""

    def __init__(self, dependencies: Sequence[Dependency], clock: Clock) -> None:
        self._checks = [_Check(item, clock) for item in dependencies]

    async def results(self) -> list[tuple[Dependency, ProbeResult]]:
        answers = await asyncio.gather(*(check.result() for check in self._checks))
        return [(check.dependency, answer) for check, answer in zip(self._checks, answers, strict=True)]

    async def aclose(self) -> None:
        await asyncio.gather(*(check.aclose() for check in self._checks))


class _Check:
    """One dependency's latest result, and the probe that is under way, if any."""

    def __init__(self, dependency: Dependency, clock: Clock) -> None:
        self.dependency = dependency
        self._clock = clock
        self._probe: asyncio.Task[ProbeResult] | None = None
        self._started_at = float("-inf")
        self._latest: ProbeResult | None = None

    async def result(self) -> ProbeResult:
        now = self._clock.monotonic()
        if self._probe is None and now - self._started_at >= PROBE_EVERY:
            self._started_at = now
            self._probe = asyncio.create_task(self.dependency.probe(), name=f"probe of {self.dependency.name}")
            self._probe.add_done_callback(self._ended)
        if self._probe is not None:
            await asyncio.wait({self._probe}, timeout=max(0.0, self._started_at + PATIENCE - now))
        if self._probe is not None or self._latest is None:
            return self._overdue(self._clock.monotonic() - self._started_at)
        return self._latest

    def _ended(self, probe: asyncio.Task[ProbeResult]) -> None:
        self._probe = None
        if not probe.cancelled():
            self._latest = probe.result()

    def _overdue(self, waited: float) -> ProbeResult:
        """What is optional keeps its standing until the probe has its verdict: greeting a mail server may take long."""
        if self._latest is not None and not (self._latest.ok and self.dependency.required):
            return self._latest
        circuit = Circuit.CLOSED if self._latest is None else self._latest.circuit
        return ProbeResult(False, waited, circuit, f"no answer for {waited:.1f} s")

    async def aclose(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.wait({self._probe})


def resource(checks: HealthChecks, lifecycle: Lifecycle, addresses: ClientAddresses, version: str) -> Resource:
    async def report(call: Call) -> HealthView:
        tell = addresses.is_local(call.request)
        views = [_view(item, result, tell) for item, result in await checks.results()]
        status: Literal["ok", "degraded", "unavailable"] = "ok"
        if any(view.required and view.state == "down" for view in views) or lifecycle.stopping:
            status = "unavailable"
        elif any(view.state != "up" for view in views):
            status = "degraded"
        return HealthView(
            status=status,
            version=version,
            uptime_seconds=round(lifecycle.uptime(), 3),
            stopping=lifecycle.stopping,
            dependencies=views,
        )

    async def health(call: Call) -> HealthView:
        return await report(call)

    async def ready(call: Call) -> HealthView | web.Response:
        view = await report(call)
        if view.status != "unavailable":
            return view
        body = msgspec.json.encode(view)
        return web.Response(status=503, body=body, content_type="application/json", headers={"Retry-After": "1"})

    async def live(call: Call) -> LiveView:
        return LiveView(status="ok")

    public = Access.PUBLIC
    return Resource(
        "operations",
        "Health for load balancers and people, metrics for Prometheus.",
        [
            Endpoint(
                method="GET", path="/health", handler=health, access=public, limit=None,
                summary="Every dependency: state, latency, circuit",
            ),
            Endpoint(
                method="GET", path="/health/live", handler=live, access=public, limit=None,
                summary="The process answers; restart it when it does not",
            ),
            Endpoint(
                method="GET", path="/health/ready", handler=ready, access=public, limit=None,
                summary="Send it traffic: every required dependency answers and it is not stopping", also=(503,),
            ),
        ],
    )  # fmt: skip


def _view(item: Dependency, result: ProbeResult, tell: bool) -> DependencyView:
    state: State = "down" if not result.ok else "up" if result.circuit is Circuit.CLOSED else "degraded"
    return DependencyView(
        name=item.name,
        state=state,
        required=item.required,
        latency_ms=round(result.latency * 1000, 3),
        circuit=result.circuit.value,
        error=result.error if tell else None,
    )
