"""The deployments that the product's tests run on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.product.deployments import Deployment, embedded, scaled
from tests.product.platforms import Stores
from tests.services.cassandra import CassandraService
from tests.services.postgres import PostgresService
from tests.services.redis import RedisService
from tests.services.s3 import SwiftService
from tests.services.smtp import SmtpSink

_STORES = ("postgres", "redis", "cassandra")


@pytest.fixture(
    params=[
        "embedded",
        *(
            pytest.param(name, marks=[pytest.mark.service(service) for service in (*_STORES, name)])
            for name in ("swift", "minio")
        ),
    ]
)
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Deployment:
    """Embedded, and every store a real one, with each of the S3 servers. Not asynchronous: starting a server takes
    its time, and no loop may stand still for it."""
    if request.param == "embedded":
        return embedded(tmp_path)
    fixtures = ("postgres", "redis_server", "cassandra", request.param, "smtp_sink")
    return scaled(tmp_path, Stores(*(request.getfixturevalue(name) for name in fixtures)))


@pytest.fixture
def stores(
    postgres: PostgresService,
    redis_server: RedisService,
    cassandra: CassandraService,
    swift: SwiftService,
    smtp_sink: SmtpSink,
) -> Stores:
    smtp_sink.clear()
    return Stores(postgres, redis_server, cassandra, swift, smtp_sink)
