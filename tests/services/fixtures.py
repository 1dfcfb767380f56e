"""The session's servers as fixtures: started on first use, stopped at the end of the session.

A test that uses one is marked ``service(name)`` by itself. One that asks lazily (``request.getfixturevalue``) marks
the parameter: ``pytest.param("redis_server", marks=pytest.mark.service("redis"))``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.services.cassandra import CassandraService
from tests.services.postgres import PostgresService
from tests.services.process import Service, Session
from tests.services.provisioning import PROVISIONING
from tests.services.redis import RedisService
from tests.services.s3 import MinioService, S3Service, SwiftService
from tests.services.smtp import SmtpSink

AnyService = TypeVar("AnyService", bound=Service)


@pytest.fixture(scope="session", autouse=True)
def service_session() -> Iterator[Session]:
    session = Session()
    try:
        yield session
    finally:
        session.close()


def _started(session: Session, make: Callable[[Session], AnyService]) -> AnyService:
    service = make(session)
    service.start()
    return service


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest, service_session: Session) -> PostgresService:
    request.config.stash[PROVISIONING].require("postgres")
    return _started(service_session, PostgresService)


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest, service_session: Session) -> RedisService:
    request.config.stash[PROVISIONING].require("redis")
    return _started(service_session, RedisService)


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest) -> Path:
    """The program; ``tests.browsing`` opens windows of it."""
    request.config.stash[PROVISIONING].require("chromium")
    found = shutil.which("chromium")
    assert found is not None
    return Path(found)


@pytest.fixture(scope="session")
def smtp_sink(service_session: Session) -> SmtpSink:
    return _started(service_session, SmtpSink)


@pytest.fixture(scope="session")
def swift(request: pytest.FixtureRequest, service_session: Session) -> SwiftService:
    request.config.stash[PROVISIONING].require("swift")
    return _started(service_session, SwiftService)


@pytest.fixture(scope="session")
def minio(request: pytest.FixtureRequest, service_session: Session) -> MinioService:
    request.config.stash[PROVISIONING].require("minio")
    return _started(service_session, MinioService)


@pytest.fixture(scope="session")
def cassandra(request: pytest.FixtureRequest, service_session: Session) -> CassandraService:
    request.config.stash[PROVISIONING].require("cassandra")
    return _started(service_session, CassandraService)


@pytest.fixture(
    scope="session",
    params=[pytest.param(name, marks=pytest.mark.service(name)) for name in ("swift", "minio")],
)
def s3_server(request: pytest.FixtureRequest) -> S3Service:
    """Every test of this runs once per server."""
    service: S3Service = request.getfixturevalue(request.param)
    return service
