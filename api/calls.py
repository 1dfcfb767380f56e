"""Everything that happens in rooms, put together: the media engine, the rooms that live on it, and their sockets."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from adapters.sql.sfu.rooms import SqlRooms
from api.gatetrail import GateTrail
from api.listening import CannotListen
from api.media_addresses import of_this_machine, to_advertise, to_bind
from api.people import People
from api.platform import Platform
from config.sections import Settings
from kernel.breaker import Circuit
from kernel.health import ProbeResult
from media.candidates import Advertised
from media.dtls import DtlsIdentity
from media.engine import Engine, Listening
from media.icevalues import Limits
from media.portable.engine import Bounds as EngineBounds
from media.portable.engine import open_portable
from sfu.admission import Bounds
from sfu.live import Doorbell, LiveRooms, live_rooms
from sfu.metering import Meters
from sfu.node import Node
from sfu.rooms import Rooms
from signaling.lobby import Lobby
from signaling.numbers import Numbers
from signaling.reception import Reception

ENGINE = "portable"


@dataclass(frozen=True, slots=True)
class Calls:
    """``rooms`` are those that were made, ``live`` those that somebody is in."""

    rooms: Rooms
    live: LiveRooms
    lobby: Lobby
    reception: Reception
    engine: Engine
    advertised: Sequence[Advertised]
    media: MediaEngine


class MediaEngine:
    """kernel.health.Dependency: part of this process, and what can fail of it are its sockets."""

    name = "media"
    required = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def probe(self) -> ProbeResult:
        if self._engine.local:
            return ProbeResult(True, 0.0, Circuit.CLOSED)
        return ProbeResult(False, 0.0, Circuit.CLOSED, "the media port is closed; restart the server")


@asynccontextmanager
async def open_calls(platform: Platform, people: People, listening: Sequence[str]) -> AsyncIterator[Calls]:
    """``listening`` are the addresses of pages and REST. Raises CannotListen for a media port that is not to be had."""
    settings = platform.settings
    async with AsyncExitStack() as stack:
        doorbell = Doorbell(asyncio.get_running_loop())
        engine = await _engine(stack, settings, await _addresses(settings, listening), doorbell)
        advertised = to_advertise(settings.media, engine.local)
        trail = GateTrail(platform.database.units, people.audit, platform.metrics)
        node = Node(
            engine=engine,
            identity=DtlsIdentity.make(),
            advertised=advertised,
            ids=platform.ids,
            clock=platform.clock,
            meters=Meters(platform.metrics),
            audit=await stack.enter_async_context(trail.running()),
            bounds=Bounds(transports=settings.media.max_transports),
        )
        live = await stack.enter_async_context(live_rooms(node, doorbell))
        rooms = Rooms(units=platform.database.units, store=SqlRooms(), ids=platform.ids, clock=platform.clock)
        lobby = Lobby(people.room_tokens, rooms, live)
        reception = Reception(lobby, clock=platform.clock, numbers=Numbers(platform.metrics))
        yield Calls(rooms, live, lobby, reception, engine, advertised, MediaEngine(engine))


async def _addresses(settings: Settings, listening: Sequence[str]) -> tuple[str, ...]:
    machine = await asyncio.to_thread(of_this_machine)
    return to_bind(settings.media, listening, machine)


async def _engine(stack: AsyncExitStack, settings: Settings, addresses: Sequence[str], doorbell: Doorbell) -> Engine:
    media, port = settings.media, settings.server.media_port
    bind = Listening(addresses, port, tcp=media.tcp, receive_buffer=media.receive_buffer)
    bounds = EngineBounds(ice=Limits(transports=media.max_transports))
    try:
        return await stack.enter_async_context(open_portable(bind, wake=doorbell.ring, bounds=bounds))
    except OSError as error:
        raise cannot_listen_for_media(error, port) from error


def cannot_listen_for_media(error: OSError, port: int) -> CannotListen:
    reasons = {
        errno.EADDRINUSE: f"media port {port} (UDP and TCP) is taken by another program; stop it, or choose another: "
        "MEDIA_PORT=... (server.media_port).",
        errno.EACCES: f"media port {port} needs privileges (ports below 1024 do); choose another: MEDIA_PORT=... "
        "(server.media_port).",
        errno.EADDRNOTAVAIL: "this machine lacks an address that media.addresses names; see `ip address`.",
    }
    why = reasons.get(error.errno or 0, f"Cannot listen for media on port {port}: {error.strerror or error}.")
    return CannotListen(why)
