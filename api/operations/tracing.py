"""OpenTelemetry behind kernel.tracing: spans of requests and dependencies, exported over OTLP/HTTP.

Imported only when a collector is configured, because the SDK costs a third of a second of start-up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from config.sections import Telemetry
from kernel.errors import SecureConnectError
from kernel.tracing import Span

# Bounded on purpose: past it spans are dropped (the SDK counts them), never requests delayed.
SPAN_QUEUE = 2048
EXPORT_TIMEOUT_SECONDS = 5
# What is left when the program ends has this long to reach a collector; one that is away may not hold up the end.
FLUSH_SECONDS = 1.5


class _RequestSpan:
    def __init__(self, span: trace.Span, method: str) -> None:
        self._span = span
        self._method = method

    def describe(self, *, route: str, status: int) -> None:
        self._span.update_name(f"{self._method} {route}")
        self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(StatusCode.ERROR)


class OpenTelemetryTracing:
    """Span attributes name routes and dependencies, never parameters, addresses or bodies."""

    active = True

    def __init__(self, settings: Telemetry, version: str) -> None:
        resource = Resource.create({"service.name": settings.service_name, "service.version": version})
        self._provider = TracerProvider(
            resource=resource, sampler=ParentBased(TraceIdRatioBased(settings.sample_ratio))
        )
        endpoint = settings.otlp_endpoint.rstrip("/") + "/v1/traces"
        self._exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_TIMEOUT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter, max_queue_size=SPAN_QUEUE))
        self._tracer = self._provider.get_tracer("secureconnect", version)
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Iterator[Span]:
        carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        with self._tracer.start_as_current_span(
            method,
            context=self._propagator.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method},
            record_exception=False,
        ) as span:
            yield _RequestSpan(span, method)

    def dependency(self, name: str) -> AbstractContextManager[object]:
        return self._dependency(name)

    @contextmanager
    def _dependency(self, name: str) -> Iterator[None]:
        with self._tracer.start_as_current_span(
            name,
            kind=SpanKind.CLIENT,
            attributes={"peer.service": name},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                # The type and our code, not the text: a client's message may quote what it was sent.
                span.set_attribute(
                    "error.type", error.code if isinstance(error, SecureConnectError) else type(error).__name__
                )
                span.set_status(StatusCode.ERROR)
                raise

    def close(self) -> None:
        """Flush and stop the exporter; blocks, at most for an export's timeout, so call it off the event loop."""
        impatience = threading.Timer(FLUSH_SECONDS, self._exporter.shutdown)
        impatience.start()
        try:
            self._provider.shutdown()
        finally:
            impatience.cancel()
            impatience.join()
