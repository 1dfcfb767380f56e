"""Sockets to Redis: redis-py's connection (handshake, TLS, parsing), and the one place that knows its insides."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

from config.sections import Redis

# What means "Redis is not there for us": also a server that has become a replica and takes no writes.
OUTAGES = (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OSError)

# Dialling a machine that swallows packets costs this long at most, so that the next attempt falls within two
# seconds of its return, whatever the command timeout is.
LONGEST_DIAL = 1.0


class PlainConnection(Connection):
    _opened: asyncio.StreamWriter | None = None

    async def _connect(self) -> None:
        await super()._connect()  # type: ignore[no-untyped-call] # redis-py leaves it so
        # redis-py forgets the writer before it is closed.
        self._opened = self._writer

    async def abort(self) -> None:
        """Close without farewell: the peer may never read what is still unsent, or never end a TLS session.
        The socket is gone when this returns."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.transport.abort()
            with suppress(OSError):
                async with asyncio.timeout(LONGEST_DIAL):
                    await opened.wait_closed()
        await self.disconnect(nowait=True)


class TlsConnection(SSLConnection, PlainConnection):
    pass


Dial = Callable[[], PlainConnection]


async def dialler(settings: Redis) -> Dial:
    """How to make a connection (not connected yet); ValueError when the settings cannot work."""
    options = _options(settings)
    if "ssl" not in options:
        return lambda: PlainConnection(**options)
    del options["ssl"]
    # Reading certificate files blocks, and redis-py would trust the system's authorities beside tls_ca.
    context = await asyncio.to_thread(ssl.create_default_context, cafile=settings.tls_ca or None)

    def dial() -> PlainConnection:
        connection = TlsConnection(**options)
        connection.ssl_context.context = context
        return connection

    return dial


def _options(settings: Redis) -> dict[str, Any]:
    parts = urlsplit(settings.url.reveal())
    if parts.scheme not in {"redis", "rediss"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(
            "redis.url is redis://[user:password@]host[:port][/database], or rediss:// for TLS, without options"
        )
    options: dict[str, Any] = dict(parse_url(settings.url.reveal()))
    options.pop("connection_class", None)
    if parts.path not in {"", "/"} and "db" not in options:
        raise ValueError("the path of redis.url is the number of a database")
    if parts.scheme == "rediss":
        options["ssl"] = True
    elif settings.tls_ca:
        raise ValueError("redis.tls_ca is set, but redis.url is not rediss://")
    # Each command's timeout is ours; RESP2, because it needs no handshake and its push messages are the same.
    return options | {
        "protocol": 2,
        "socket_timeout": None,
        "socket_connect_timeout": min(settings.timeout, LONGEST_DIAL),
        "driver_info": None,
    }
