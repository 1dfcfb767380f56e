"""The servers of the tests are what they say: real, unprivileged, killable, and gone with us."""

from __future__ import annotations

import asyncio
import io
import os
import smtplib
import ssl
from email.message import EmailMessage
from ipaddress import ip_address

import asyncpg
import minio
import psutil
import pytest
import redis.asyncio
import redis.exceptions
import urllib3
from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import DCAwareRoundRobinPolicy
from minio.deleteobjects import DeleteObject

from tests.services.cassandra import CassandraService
from tests.services.cut import CutProxy
from tests.services.postgres import PostgresService
from tests.services.process import Service
from tests.services.redis import RedisService
from tests.services.s3 import S3Service
from tests.services.smtp import SmtpSink


def a_mail(*recipients: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "us@example.org"
    message["To"] = ", ".join(recipients)
    message["Subject"] = "Grüße"
    message.set_content("täglich\n")
    return message


async def test_postgres_hands_out_empty_databases_that_do_not_know_each_other(postgres: PostgresService) -> None:
    first = await asyncpg.connect(postgres.create_database())
    second = await asyncpg.connect(postgres.create_database())
    try:
        await first.execute("CREATE TABLE only_here (id int)")
        assert await first.fetchval("SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'") == 1
        assert await second.fetchval("SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'") == 0
    finally:
        await first.close()
        await second.close()


async def test_a_killed_postgres_keeps_what_it_acknowledged(postgres: PostgresService) -> None:
    url = postgres.create_database()
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
    try:
        postgres.kill()
        with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            await connection.fetchval("SELECT 1")
        with pytest.raises(ConnectionRefusedError):
            await asyncpg.connect(url)
    finally:
        connection.terminate()
        await asyncio.to_thread(postgres.start)
    again = await asyncpg.connect(url)
    try:
        assert await again.fetchval("SELECT id FROM kept") == 7
    finally:
        await again.close()


async def test_a_killed_redis_keeps_what_it_acknowledged(redis_server: RedisService) -> None:
    async with redis.asyncio.from_url(redis_server.url) as client:
        await client.set("kept", "yes")
        try:
            redis_server.kill()
            with pytest.raises(redis.exceptions.ConnectionError):
                await client.get("kept")
        finally:
            await asyncio.to_thread(redis_server.start)
        assert await client.get("kept") == b"yes"
        redis_server.flush()
        assert await client.get("kept") is None


async def test_a_paused_redis_answers_again_once_resumed(redis_server: RedisService) -> None:
    async with redis.asyncio.from_url(redis_server.url) as client:
        await client.set("here", "yes")
        redis_server.pause()
        asking = asyncio.ensure_future(client.get("here"))
        try:
            done, _ = await asyncio.wait([asking], timeout=0.3)
            assert not done
        finally:
            redis_server.resume()
        assert await asking == b"yes"


@pytest.mark.parametrize(
    "fixture",
    [
        pytest.param("postgres", marks=pytest.mark.service("postgres")),
        pytest.param("redis_server", marks=pytest.mark.service("redis")),
        pytest.param("swift", marks=pytest.mark.service("swift")),
        pytest.param("cassandra", marks=pytest.mark.service("cassandra")),
        pytest.param("minio", marks=pytest.mark.service("minio")),
        "smtp_sink",
    ],
)
def test_a_service_runs_without_privileges_on_loopback_only(fixture: str, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(fixture)
    for process in service.processes():
        assert process.uids().effective != 0 or os.geteuid() != 0
        assert not any(
            os.geteuid() == 0 and gid == 0 for gid in os.getgrouplist(process.username(), process.gids().real)
        )
    addresses = {
        connection.laddr.ip
        for process in service.processes()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses
    assert all(ip_address(address.removeprefix("::ffff:")).is_loopback for address in addresses)


def test_the_sink_keeps_a_mail_as_it_was_sent(smtp_sink: SmtpSink) -> None:
    smtp_sink.clear()
    with smtplib.SMTP(smtp_sink.host, smtp_sink.port, timeout=5) as client:
        client.send_message(a_mail("one@example.org"))
    (kept,) = smtp_sink.messages
    assert (kept.recipients, kept.message["Subject"], kept.message.get_content()) == (
        ["one@example.org"],
        "Grüße",
        "täglich\n",
    )
    assert not kept.encrypted
    assert not kept.authenticated


def test_the_sink_insists_on_starttls_and_on_the_password(smtp_sink: SmtpSink) -> None:
    trust = ssl.create_default_context(cafile=str(smtp_sink.ca_file))
    smtp_sink.clear()
    with smtplib.SMTP("localhost", smtp_sink.auth_port, timeout=5) as client:
        with pytest.raises(smtplib.SMTPException):
            client.send_message(a_mail("one@example.org"))
        client.starttls(context=trust)
        with pytest.raises(smtplib.SMTPResponseException):
            client.send_message(a_mail("one@example.org"))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(smtp_sink.username, "wrong")
        client.login(smtp_sink.username, smtp_sink.password)
        client.send_message(a_mail("one@example.org"))
    with smtplib.SMTP_SSL("localhost", smtp_sink.tls_port, timeout=5, context=trust) as client:
        client.send_message(a_mail("one@example.org"))
    assert [(kept.encrypted, kept.authenticated) for kept in smtp_sink.messages] == [(True, True), (True, False)]


@pytest.mark.parametrize(("recipient", "code"), [("refused@example.org", 550), ("later@example.org", 451)])
def test_the_sink_refuses_by_the_name_of_the_recipient(smtp_sink: SmtpSink, recipient: str, code: int) -> None:
    with (
        smtplib.SMTP(smtp_sink.host, smtp_sink.port, timeout=5) as client,
        pytest.raises(smtplib.SMTPRecipientsRefused) as refused,
    ):
        client.send_message(a_mail(recipient))
    assert refused.value.recipients[recipient][0] == code


async def test_a_pulled_cable_resets_refuses_and_comes_back(smtp_sink: SmtpSink) -> None:
    async with CutProxy(smtp_sink.host, smtp_sink.port) as proxy:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        assert (await reader.readline()).startswith(b"220")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            await reader.readline()
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(proxy.host, proxy.port)
        proxy.mend()
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        assert (await reader.readline()).startswith(b"220")
        writer.close()


async def test_a_stalled_cable_accepts_and_passes_nothing_until_mended(smtp_sink: SmtpSink) -> None:
    async with CutProxy(smtp_sink.host, smtp_sink.port) as proxy:
        proxy.stall()
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readline(), 0.2)
        proxy.mend()
        assert (await reader.readline()).startswith(b"220")
        writer.close()


def test_a_killed_cassandra_keeps_what_it_acknowledged(cassandra: CassandraService) -> None:
    def cluster() -> Cluster:
        balancing = DCAwareRoundRobinPolicy(cassandra.datacenter)
        profile = ExecutionProfile(balancing, consistency_level=ConsistencyLevel.LOCAL_QUORUM)
        return Cluster(cassandra.hosts, cassandra.port, execution_profiles={EXEC_PROFILE_DEFAULT: profile})

    with cluster() as connected, connected.connect() as session:
        session.execute(
            "CREATE KEYSPACE kept WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}"
        )
        session.execute("CREATE TABLE kept.numbers (id int PRIMARY KEY)")
        for number in range(100):
            session.execute("INSERT INTO kept.numbers (id) VALUES (%s)", (number,))
        cassandra.kill()
    cassandra.start()
    with cluster() as connected, connected.connect() as session:
        assert session.execute("SELECT count(*) FROM kept.numbers").one()[0] == 100


def s3_client(server: S3Service) -> minio.Minio:
    return minio.Minio(
        f"{server.host}:{server.port}",
        access_key=server.access_key,
        secret_key=server.secret_key,
        region=server.region,
        secure=False,
    )


def test_an_s3_server_verifies_signatures_and_keeps_objects_over_a_kill(s3_server: S3Service) -> None:
    client = s3_client(s3_server)
    client.make_bucket("kept")
    client.put_object("kept", "one", io.BytesIO(b"content"), 7)
    address = client.presigned_get_object("kept", "one")
    stranger = minio.Minio(
        f"{s3_server.host}:{s3_server.port}",
        access_key=s3_server.access_key,
        secret_key="wrong",
        region=s3_server.region,
        secure=False,
    )
    with pytest.raises(minio.error.S3Error) as refused:
        stranger.stat_object("kept", "one")
    assert refused.value.code in {"SignatureDoesNotMatch", "AccessDenied"}
    try:
        s3_server.kill()
    finally:
        s3_server.start()
    with urllib3.PoolManager() as pool:
        assert pool.request("GET", address).data == b"content"
        assert pool.request("GET", address.replace("X-Amz-Signature=", "X-Amz-Signature=0")).status == 403


def test_an_s3_server_takes_an_upload_in_parts(s3_server: S3Service) -> None:
    client = s3_client(s3_server)
    client.make_bucket("parts")
    content = os.urandom(6 << 20)
    client.put_object("parts", "big", io.BytesIO(content), -1, part_size=5 << 20)
    with client.get_object("parts", "big", offset=(5 << 20) - 1, length=2) as answer:
        assert answer.read() == content[(5 << 20) - 1 : (5 << 20) + 1]
    assert [error.message for error in client.remove_objects("parts", [DeleteObject("big")])] == []
    assert list(client.list_objects("parts")) == []
