"""The whole product, as configured for one machine and for a cluster of real stores."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec

# The program imports these when it starts with them configured; a test's loop should not stand still for it.
import adapters.cassandra.driver
import adapters.redis
import adapters.sql.postgres  # noqa: F401
from api.http.endpoints import Resource
from api.listening import bind
from api.platform import Platform
from api.serve import Started, running_server
from config.sections import Database, Jobs, Mail, Messages, Objects, Redis, Server, Settings, Telemetry
from config.values import Duration, Secret
from kernel.jobrunner import Handler
from tests.services.cassandra import CassandraService
from tests.services.postgres import PostgresService
from tests.services.redis import RedisService
from tests.services.s3 import S3Service
from tests.services.smtp import SmtpSink

# One for all nodes of a cluster, as every cluster has it.
SECRET = Secret("the one secret that all nodes of this cluster share")
CACHE_SECONDS = 60


def embedded_settings(folder: Path) -> Settings:
    """Nothing but what the process keeps itself, in ``folder``."""
    return Settings(
        server=Server(port=0, media_port=0, data_dir=str(folder), shutdown_timeout=Duration(8)),
        database=Database(cache_ttl=Duration(CACHE_SECONDS)),
        jobs=Jobs(poll=Duration(0.1)),
        # The tests have a watch of their own, which knows a busy machine from a blocked loop.
        telemetry=Telemetry(stall_threshold=Duration(30)),
    )


@dataclass(frozen=True)
class Stores:
    """The servers of a cluster."""

    postgres: PostgresService
    redis: RedisService
    cassandra: CassandraService
    s3: S3Service
    smtp: SmtpSink


def scaled_settings(folder: Path, stores: Stores) -> Settings:
    """Every store a real one; a database, key prefix and bucket of its own. Each node that is opened with the same
    settings is a node of one cluster. Blocks: call it where no loop runs."""
    name = secrets.token_hex(4)
    return msgspec.structs.replace(
        embedded_settings(folder),
        database=Database(url=Secret(stores.postgres.create_database()), cache_ttl=Duration(CACHE_SECONDS)),
        redis=Redis(url=Secret(stores.redis.url), prefix=f"product-{name}"),
        messages=Messages(
            cassandra_hosts=tuple(stores.cassandra.hosts),
            cassandra_port=stores.cassandra.port,
            # Making tables takes Cassandra seconds; conversations keep the tests apart.
            keyspace="product",
            replication_factor=1,
        ),
        objects=Objects(
            endpoint=stores.s3.endpoint,
            region=stores.s3.region,
            bucket=f"product-{name}",
            access_key=stores.s3.access_key,
            secret_key=Secret(stores.s3.secret_key),
        ),
        mail=Mail(host=stores.smtp.host, port=stores.smtp.port, security="none", sender="no-reply@example.org"),
    )


@dataclass(frozen=True)
class Product:
    """A node that answers; ``client`` knows its address."""

    url: str
    started: Started
    client: aiohttp.ClientSession

    @property
    def platform(self) -> Platform:
        return self.started.platform


@asynccontextmanager
async def open_product(
    settings: Settings,
    *,
    resources: Callable[[Platform], Sequence[Resource]] = lambda _platform: (),
    handlers: Callable[[Platform], Mapping[str, Handler]] = lambda _platform: {},
) -> AsyncIterator[Product]:
    """Composed by api.serve, as ``secureconnect serve`` does it."""
    sockets = bind(settings.server.host, settings.server.port)
    try:
        server = running_server(
            settings,
            SECRET,
            sockets,
            access_log=None,
            announce=lambda _line: None,
            resources=resources,
            handlers=handlers,
        )
        async with server as started, aiohttp.ClientSession(sockets.url) as client:
            yield Product(sockets.url, started, client)
    finally:
        sockets.close()
