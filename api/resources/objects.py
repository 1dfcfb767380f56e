"""Signed URLs of the embedded object store: bytes in and out in constant memory, straight from and to the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from adapters.objects.serving import answer
from adapters.objects.store import ObjectStore
from adapters.objects.tickets import PATH, Grant, verify
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from kernel.clock import Clock
from kernel.errors import Malformed, NotFound, TimedOut

# An upload that pauses this long is over; one that crawls may take as long as its URL lives.
STALL_SECONDS = 30.0
CHUNK = 256 * 1024


def resource(store: ObjectStore, signing_key: bytes, clock: Clock) -> Resource:
    def grant_of(call: Call, method: str) -> Grant:
        request = call.request
        return verify(signing_key, method, request.match_info["key"], request.query, now=clock.now())

    async def download(call: Call) -> web.StreamResponse:
        grant = grant_of(call, call.request.method)
        info = await store.objects.stat(grant.key)
        if info is None:
            raise NotFound("There is no such object.")
        plan = answer(info, call.request.headers, file_name=grant.file_name, max_age=grant.expires_at - clock.now())
        response = web.StreamResponse(status=plan.status, headers=plan.headers)
        if call.request.method == "HEAD" or plan.length == 0:
            await response.prepare(call.request)
            return response
        async with store.objects.open(grant.key, start=plan.start, length=plan.length) as chunks:
            await response.prepare(call.request)
            async for chunk in chunks:
                await response.write(chunk)
        await response.write_eof()
        return response

    async def upload(call: Call) -> web.Response:
        grant = grant_of(call, "PUT")
        request = call.request
        grant.admit_body(request.headers.get("Content-Type"), request.content_length)
        size = grant.size or 0
        if grant.upload is not None and grant.part is not None:
            part = await store.multipart.put_part(grant.key, grant.upload, grant.part, _arriving(request), size=size)
            return web.Response(status=200, headers={"ETag": f'"{part.etag}"'})
        info = await store.objects.put(
            grant.key, _arriving(request), size=size, content_type=grant.content_type or "application/octet-stream"
        )
        return web.Response(status=200, headers={"ETag": f'"{info.etag}"'})

    path = PATH + "{key:.+}"
    signature = ("signature_invalid", "signature_expired")
    return Resource(
        "objects",
        "Signed URLs of the embedded object store; with an S3 server configured they lead there instead.",
        [
            Endpoint(
                method="GET",
                path=path,
                handler=download,
                access=Access.SIGNED_URL,
                limit=None,
                summary="Download what the URL was signed for; ranges and conditions are understood",
                errors={403: signature, 404: ("not_found",)},
                streaming=True,
                content="application/octet-stream",
            ),
            Endpoint(
                method="PUT",
                path=path,
                handler=upload,
                access=Access.SIGNED_URL,
                limit=None,
                summary="Upload exactly the bytes the URL was signed for",
                errors={400: ("size_mismatch", "malformed_body"), 403: signature, 408: ("upload_stalled",)},
                streaming=True,
                content="application/octet-stream",
            ),
        ],
    )


async def _arriving(request: web.Request) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(STALL_SECONDS):
                chunk = await request.content.read(CHUNK)
        except TimeoutError as error:
            detail = f"The upload sent nothing for {STALL_SECONDS:g} s."
            raise TimedOut(detail, code="upload_stalled") from error
        except (web.RequestPayloadError, ConnectionError) as error:
            raise Malformed("The upload ended early.", code="malformed_body") from error
        if not chunk:
            return
        yield chunk
