"""Janus (Debian's package) with its VideoRoom, started in a network namespace and driven by its HTTP API."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiortc import RTCPeerConnection, RTCSessionDescription

from benchmarks.processes import Namespace, Running, started

PORT = 8088
ROOM = 1234
CONFIGURATION = """
general: {{ configs_folder = "{folder}" debug_level = 2 }}
nat: {{ ice_lite = true }}
media: {{ }}
"""
HTTP = """
general: {{ json = "plain" base_path = "/janus" http = true port = {port} https = false }}
admin: {{ admin_http = false }}
"""
VIDEO_ROOM = """
general: {{ }}
room-{room}: {{ description = "load" publishers = 10 videocodec = "vp8" bitrate = 0 fir_freq = 0 }}
"""
DISABLED = 'plugins: {{ disable = "{plugins}" }}\n'
OTHER_PLUGINS = (
    "audiobridge duktape echotest lua nosip recordplay sip streaming textroom videocall voicemail"  # nothing of theirs
)


@asynccontextmanager
async def janus(namespace: Namespace, folder: Path) -> AsyncIterator[Running]:
    """In its default mode: a thread a participant, repairs and feedback as it ships."""
    disabled = ",".join(f"libjanus_{name}.so" for name in OTHER_PLUGINS.split())
    (folder / "janus.jcfg").write_text(CONFIGURATION.format(folder=folder) + DISABLED.format(plugins=disabled))
    (folder / "janus.transport.http.jcfg").write_text(HTTP.format(port=PORT))
    (folder / "janus.plugin.videoroom.jcfg").write_text(VIDEO_ROOM.format(room=ROOM))
    command = ["janus", f"--config={folder / 'janus.jcfg'}", f"--configs-folder={folder}", "--disable-colors"]
    async with started(namespace, command, log=folder / "janus.log", port=PORT) as running:
        yield running


class Handle:
    """A session with a handle of the VideoRoom."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._root = f"{url}/janus"
        self._session = ""
        self._handle = ""
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._polling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._session = f"{self._root}/{(await self._post(self._root, {'janus': 'create'}))['data']['id']}"
        attach = {"janus": "attach", "plugin": "janus.plugin.videoroom"}
        self._handle = f"{self._session}/{(await self._post(self._session, attach))['data']['id']}"
        self._polling = asyncio.create_task(self._poll())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._polling is not None
        self._polling.cancel()
        await asyncio.gather(self._polling, return_exceptions=True)

    async def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        body = {"transaction": secrets.token_hex(8), **body}
        async with self._http.post(url, json=body) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
        if answer.get("janus") == "error":
            raise RuntimeError(f"Janus refused: {answer['error']}")
        return answer

    async def _poll(self) -> None:
        while True:
            async with self._http.get(self._session, params={"maxev": "1"}) as response:
                event = await response.json(content_type=None)
            waiting = self._answers.pop(event.get("transaction", ""), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(event)

    async def ask(self, body: dict[str, Any], jsep: dict[str, str] | None = None) -> dict[str, Any]:
        """The event that follows a request of the plugin."""
        transaction = secrets.token_hex(8)
        waiting = self._answers[transaction] = asyncio.get_running_loop().create_future()
        message: dict[str, Any] = {"janus": "message", "transaction": transaction, "body": body}
        if jsep is not None:
            message["jsep"] = jsep
        await self._post(self._handle, message)
        async with asyncio.timeout(10):
            event: dict[str, Any] = await waiting
        data = event["plugindata"]["data"]
        if "error" in data:
            raise RuntimeError(f"Janus refused: {data['error']}")
        return event

    async def publish(self, connection: RTCPeerConnection) -> int:
        """The feed's number, for subscribers."""
        joined = await self.ask({"request": "join", "ptype": "publisher", "room": ROOM})
        await connection.setLocalDescription(await connection.createOffer())
        offer = connection.localDescription
        event = await self.ask({"request": "publish"}, {"type": offer.type, "sdp": offer.sdp})
        await connection.setRemoteDescription(RTCSessionDescription(**_description(event)))
        return int(joined["plugindata"]["data"]["id"])

    async def subscribe(self, connection: RTCPeerConnection, feed: int) -> None:
        streams = [{"feed": feed}]
        event = await self.ask({"request": "join", "ptype": "subscriber", "room": ROOM, "streams": streams})
        await connection.setRemoteDescription(RTCSessionDescription(**_description(event)))
        await connection.setLocalDescription(await connection.createAnswer())
        answer = connection.localDescription
        await self.ask({"request": "start"}, {"type": answer.type, "sdp": answer.sdp})


def _description(event: dict[str, Any]) -> dict[str, str]:
    jsep = event["jsep"]
    return {"type": jsep["type"], "sdp": jsep["sdp"]}
