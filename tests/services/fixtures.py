"""The session's servers as fixtures: started on first use, stopped at the end of the session.

A test that uses one is marked ``service(name)`` by itself. One that asks lazily (``request.getfixturevalue``) marks
the parameter: ``pytest.param("redis_server", marks=pytest.mark.service("redis"))``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.services.cassandra import CassandraService
from tests.services.postgres import PostgresService
from tests.services.process import Service, Session
from tests.services.redis import RedisService
from tests.services.s3 import MinioService, S3Service, SwiftService
from tests.services.smtp import SmtpSink
from tooling import provision

AnyService = TypeVar("AnyService", bound=Service)

UNAVAILABLE = "unavailable here: "
PROGRESS_EVERY = 15.0


def unavailable(reason: str) -> None:
    """Skips for want of a service or tool; under CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{UNAVAILABLE}{reason}", pytrace=False)
    pytest.skip(f"{UNAVAILABLE}{reason}")


def provided(name: str) -> None:
    """Waits until the piece is installed, saying so while it lasts."""
    if provision.PIECES[name].ready():
        return
    command = [sys.executable, str(Path(provision.__file__)), name]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as waiting:
        started = time.monotonic()
        errors = None
        while errors is None:
            try:
                _, errors = waiting.communicate(timeout=PROGRESS_EVERY)
            except subprocess.TimeoutExpired:
                elapsed = time.monotonic() - started
                print(f"\n[{name}] being installed, {elapsed:.0f} s so far", file=sys.__stderr__, flush=True)
    if waiting.returncode:
        unavailable(errors.strip())


@pytest.fixture(scope="session")
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
def postgres(service_session: Session) -> PostgresService:
    provided("postgres")
    return _started(service_session, PostgresService)


@pytest.fixture(scope="session")
def redis_server(service_session: Session) -> RedisService:
    provided("redis")
    return _started(service_session, RedisService)


@pytest.fixture(scope="session")
def smtp_sink(service_session: Session) -> SmtpSink:
    return _started(service_session, SmtpSink)


@pytest.fixture(scope="session")
def swift(service_session: Session) -> SwiftService:
    provided("swift")
    return _started(service_session, SwiftService)


@pytest.fixture(scope="session")
def minio(service_session: Session) -> MinioService:
    provided("minio")
    return _started(service_session, MinioService)


@pytest.fixture(scope="session")
def cassandra(service_session: Session) -> CassandraService:
    provided("cassandra")
    return _started(service_session, CassandraService)


@pytest.fixture(
    scope="session",
    params=[pytest.param(name, marks=pytest.mark.service(name)) for name in ("swift", "minio")],
)
def s3_server(request: pytest.FixtureRequest) -> S3Service:
    """Every test of this runs once per server."""
    service: S3Service = request.getfixturevalue(request.param)
    return service
