"""Traces, as the rest of the code sees them: spans around requests and calls to dependencies.

Off by default and then free: callers ask ``active`` first. The OpenTelemetry side is api/operations/tracing.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Span(Protocol):
    def describe(self, *, route: str, status: int) -> None: ...


class Tracing(Protocol):
    @property
    def active(self) -> bool: ...

    def request(self, method: str, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
        """A server span, continuing the caller's trace when ``headers`` carry one (W3C traceparent)."""
        ...

    def dependency(self, name: str) -> AbstractContextManager[object]:
        """A client span around one call to a store or service."""
        ...


class _NoSpan:
    def describe(self, *, route: str, status: int) -> None:
        """Nothing is kept."""


class NoTracing:
    active = False

    def request(self, method: str, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
        return nullcontext(_NoSpan())

    def dependency(self, name: str) -> AbstractContextManager[object]:
        return nullcontext()
