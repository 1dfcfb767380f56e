"""Prometheus metrics of this process."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from kernel.metrics import Metrics


def resource(numbers: Metrics) -> Resource:
    async def metrics(call: Call) -> web.Response:
        return web.Response(body=generate_latest(numbers.registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return Resource(
        "metrics",
        "Metrics for Prometheus.",
        [
            Endpoint(
                method="GET",
                path="/metrics",
                handler=metrics,
                access=Access.OPERATOR,
                limit=None,
                summary="Metrics in the Prometheus text format",
                content="text/plain",
            )
        ],
    )
