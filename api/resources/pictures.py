"""Pictures as they come in and go out: the bodies of requests and answers."""

from __future__ import annotations

import asyncio

from aiohttp import web

from adapters.objects.serving import answer
from identity.avatars import require_size
from kernel.errors import Malformed, NotFound, TimedOut
from kernel.objects import Objects

# An address names one version of a picture, so what it leads to does not change; but who may see it does, and whoever
# is blocked should not look at it for long.
CACHED_SECONDS = 300.0
BODY_SECONDS = 30.0


async def picture_answer(request: web.Request, objects: Objects, key: str | None) -> web.Response:
    """Raises NotFound."""
    info = None if key is None else await objects.stat(key)
    if info is None:
        raise NotFound("There is no avatar.")
    plan = answer(info, request.headers, file_name=None, max_age=CACHED_SECONDS)
    body = b""
    if plan.length and request.method == "GET":
        async with objects.open(info.key, start=plan.start, length=plan.length) as chunks:
            body = b"".join([chunk async for chunk in chunks])
    return web.Response(status=plan.status, headers=plan.headers, body=body)


async def picture_in(request: web.Request) -> bytes:
    require_size(request.content_length or 0)
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                data += chunk
                require_size(len(data))
    except TimeoutError as error:
        raise TimedOut(f"The picture did not arrive within {BODY_SECONDS:g} s.", code="body_timeout") from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise Malformed("The picture ended early.", code="malformed_body") from error
    return bytes(data)
