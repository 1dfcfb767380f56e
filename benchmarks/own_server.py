"""Our server for measurements: started in a network namespace, its rooms entered by the socket of docs/signaling.md."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiortc import RTCPeerConnection, RTCSessionDescription

from benchmarks.processes import Namespace, Running, started

PORT, MEDIA_PORT = 8080, 7000
PROGRAM = Path(sys.executable).with_name("secureconnect")


@asynccontextmanager
async def own_server(namespace: Namespace, folder: Path) -> AsyncIterator[Running]:
    """As it is without any configuration, but for where it listens and how often one address may ask."""
    environment = {
        "SECURECONNECT_SERVER_HOST": namespace.server,
        "SECURECONNECT_SERVER_PORT": str(PORT),
        "SECURECONNECT_SERVER_MEDIA_PORT": str(MEDIA_PORT),
        "SECURECONNECT_SERVER_DATA_DIR": str(folder / "data"),
    }
    command = [str(PROGRAM), "serve"]
    async with started(namespace, command, log=folder / "server.log", port=PORT, environment=environment) as running:
        yield running


async def room_token(http: aiohttp.ClientSession, server: Running, key: str, room: str, identity: str) -> str:
    grants = {"join": True, "publish": ["camera", "microphone"], "subscribe": True, "data": True}
    body = {"identity": identity, "grants": grants, "ttl": 3600}
    async with http.post(f"{server.url}/v1/rooms/{room}/tokens", json=body, headers=_bearer(key)) as response:
        response.raise_for_status()
        return str((await response.json())["token"])


async def clear_room(http: aiohttp.ClientSession, server: Running, key: str) -> str:
    """Its load is not encrypted end to end, as that of the others."""
    body = {"name": "load", "mode": "intelligent"}
    async with http.post(f"{server.url}/v1/rooms", json=body, headers=_bearer(key)) as response:
        response.raise_for_status()
        return str((await response.json())["id"])


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Seat:
    """One participant's socket. What the server says by itself is read and passed over."""

    def __init__(self, http: aiohttp.ClientSession, server: Running, token: str) -> None:
        self._http = http
        self._url = f"{server.url}/v1/calls/ws/signaling"
        self._token = token
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._socket = await self._http.ws_connect(self._url, headers=_bearer(self._token), protocols=("sc.v1",))
        self._reading = asyncio.create_task(self._read())
        await self.ask("join", {"client": {"name": "load", "version": "1"}, "e2ee": None})
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._reading is not None
        assert self._socket is not None
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._socket.close()

    async def _read(self) -> None:
        assert self._socket is not None
        async for frame in self._socket:
            said = json.loads(frame.data)
            waiting = self._answers.pop(said.get("id", ""), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(said)

    async def ask(self, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        assert self._socket is not None
        request = secrets.token_hex(8)
        waiting = self._answers[request] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"type": kind, "id": request, "data": data})
        async with asyncio.timeout(10):
            answer = await waiting
        if answer["type"] == "error":
            raise RuntimeError(f"refused: {answer['data']}")
        return dict(answer["data"])

    async def publish(self, connection: RTCPeerConnection) -> None:
        await self._negotiate(connection, publishes=True, pictures=0)

    async def subscribe(self, connection: RTCPeerConnection) -> None:
        connection.addTransceiver("video", direction="recvonly")
        await self._negotiate(connection, publishes=False, pictures=1)

    async def _negotiate(self, connection: RTCPeerConnection, *, publishes: bool, pictures: int) -> None:
        await connection.setLocalDescription(await connection.createOffer())
        mid = connection.getTransceivers()[0].mid
        sent = {"mid": mid, "cid": secrets.token_urlsafe(16), "kind": "video", "source": "camera", "encrypted": False}
        offer = {
            "sdp": connection.localDescription.sdp,
            "publish": [sent] if publishes else [],
            "receive": {"audio": 0, "video": pictures},
        }
        answer = await self.ask("negotiate", offer)
        await connection.setRemoteDescription(RTCSessionDescription(sdp=answer["sdp"], type="answer"))
