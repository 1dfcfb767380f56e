"""A cluster's real stores, each behind a cable that a test can pull, for a server that is a process of its own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from tests.product.platforms import Stores
from tests.services.cut import CutProxy
from tests.services.process import HOST


@asynccontextmanager
async def cables(stores: Stores) -> AsyncIterator[dict[str, CutProxy]]:
    """By the name of the field of Stores."""
    targets = {
        "postgres": stores.postgres.port,
        "redis": stores.redis.port,
        "cassandra": stores.cassandra.port,
        "s3": stores.s3.port,
        "smtp": stores.smtp.auth_port,
    }
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(CutProxy(HOST, port)) for name, port in targets.items()}


def settings_through(lines: Mapping[str, CutProxy], stores: Stores, database_url: str) -> dict[str, str]:
    """Settings as variables, with short timeouts."""
    return {
        "DATABASE_URL": database_url.replace(f":{stores.postgres.port}/", f":{lines['postgres'].port}/"),
        "DATABASE_TIMEOUT": "1s",
        "REDIS_URL": f"redis://{HOST}:{lines['redis'].port}/0",
        "REDIS_PREFIX": f"product-{secrets.token_hex(4)}",
        "REDIS_TIMEOUT": "500ms",
        "MESSAGES_CASSANDRA_HOSTS": HOST,
        "MESSAGES_CASSANDRA_PORT": str(lines["cassandra"].port),
        "MESSAGES_KEYSPACE": "product",
        "MESSAGES_REPLICATION_FACTOR": "1",
        "MESSAGES_TIMEOUT": "1s",
        "OBJECTS_ENDPOINT": f"http://{HOST}:{lines['s3'].port}",
        "OBJECTS_ACCESS_KEY": stores.s3.access_key,
        "OBJECTS_SECRET_KEY": stores.s3.secret_key,
        "OBJECTS_BUCKET": f"product-{secrets.token_hex(4)}",
        "OBJECTS_TIMEOUT": "1s",
        "OBJECTS_STALL_TIMEOUT": "1s",
        "MAIL_HOST": HOST,
        "MAIL_PORT": str(lines["smtp"].port),
        "MAIL_TLS_CA": str(stores.smtp.ca_file),
        "MAIL_USERNAME": stores.smtp.username,
        "MAIL_PASSWORD": stores.smtp.password,
        "MAIL_TIMEOUT": "1s",
    }
