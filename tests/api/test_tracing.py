"""Traces reach a real OTLP collector, continue the caller's trace, and carry nothing private."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from adapters.guard import Guard
from adapters.memory import MemoryBus
from api.http.endpoints import Call, Resource
from api.operations.tracing import FLUSH_SECONDS, OpenTelemetryTracing
from config.sections import Telemetry
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable
from kernel.metrics import Metrics
from tests.api.serving import endpoint, running

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@asynccontextmanager
async def collector() -> AsyncIterator[tuple[str, list[Span]]]:
    received: list[Span] = []

    async def take(request: web.Request) -> web.Response:
        export = ExportTraceServiceRequest.FromString(await request.read())
        for resource_spans in export.resource_spans:
            for scope in resource_spans.scope_spans:
                received.extend(scope.spans)
        return web.Response(body=b"", content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}", received
    finally:
        await runner.cleanup()


async def test_a_collector_that_is_away_does_not_hold_up_the_end() -> None:
    tracing = OpenTelemetryTracing(Telemetry(otlp_endpoint="http://127.0.0.1:1", sample_ratio=1.0), "1.2.3")
    for _ in range(2000):
        with tracing.dependency("database"):
            pass
    began = time.monotonic()
    await asyncio.to_thread(tracing.close)
    assert time.monotonic() - began < FLUSH_SECONDS + 0.5


async def test_a_request_and_the_store_it_asks_are_one_trace_of_the_caller() -> None:
    async with collector() as (endpoint_url, spans):
        tracing = OpenTelemetryTracing(Telemetry(otlp_endpoint=endpoint_url, sample_ratio=0.0), "1.2.3")
        metrics = Metrics(tracing=tracing)
        guard = Guard("database", timeout=1, outages=(), clock=SystemClock(), metrics=metrics)
        bus = MemoryBus(metrics)

        async def ask(call: Call) -> None:
            await guard.call(lambda: asyncio.sleep(0))
            await bus.publish("asked", b"payload of alice")

        resource = Resource("asking", "-", [endpoint("POST", "/v1/ask/{who}", ask, documented=False)])
        async with running(resources=[resource], metrics=metrics) as server:
            headers = {"traceparent": PARENT}
            async with server.client.post("/v1/ask/alice%40example.org", headers=headers) as answer:
                assert answer.status == 204
            async with server.client.post("/v1/ask/bob") as answer:
                assert answer.status == 204
        await asyncio.to_thread(tracing.close)
    by_name = {span.name: span for span in spans}
    assert set(by_name) == {"POST /v1/ask/{who}", "database", "bus"}, "only the sampled caller's trace is kept"
    request, store = by_name["POST /v1/ask/{who}"], by_name["database"]
    assert request.trace_id.hex() == store.trace_id.hex() == PARENT.split("-")[1]
    assert request.parent_span_id.hex() == PARENT.split("-")[2]
    assert store.parent_span_id == by_name["bus"].parent_span_id == request.span_id
    assert "alice" not in str(spans)


async def test_a_failed_call_is_marked_with_its_code_and_not_its_text() -> None:
    async with collector() as (endpoint_url, spans):
        tracing = OpenTelemetryTracing(Telemetry(otlp_endpoint=endpoint_url, sample_ratio=1.0), "1.2.3")
        guard = Guard("redis", timeout=1, outages=(OSError,), clock=SystemClock(), metrics=Metrics(tracing=tracing))

        async def refused() -> None:
            raise OSError("connect to redis://:hunter2@10.0.0.1 refused")

        with pytest.raises(DependencyUnavailable):
            await guard.call(refused)
        await asyncio.to_thread(tracing.close)
    [span] = spans
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert "dependency_unavailable" in str(span.attributes)
    assert "hunter2" not in str(span)


async def test_a_dead_collector_delays_nobody() -> None:
    tracing = OpenTelemetryTracing(Telemetry(otlp_endpoint="http://127.0.0.1:9", sample_ratio=1.0), "1.2.3")
    metrics = Metrics(tracing=tracing)
    async with running(metrics=metrics) as server:
        for _ in range(50):
            async with server.client.get("/health/live") as answer:
                assert answer.status == 200
    await asyncio.wait_for(asyncio.to_thread(tracing.close), 10)
