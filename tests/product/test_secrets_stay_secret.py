"""The program with secrets in every setting, handed secrets in every part of a request, while every store fails: what
it writes, shows and prints holds none of them."""

from __future__ import annotations

import asyncio
import base64
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from tests.product.cables import cables, settings_through
from tests.product.load import Client, running_load
from tests.product.platforms import Stores
from tests.product.processes import ServerProcess, running_process
from tests.product.pushing import CLIENT_ADDRESSES, push
from tests.product.workload import WRITES
from tests.services.cut import CutProxy
from tests.services.postgres import PostgresService
from tests.services.process import HOST, free_port

pytestmark = [pytest.mark.slow(alone=False), pytest.mark.timeout(240)]

CLI = [sys.executable, "-c", "import sys; from api.cli import main; sys.exit(main())"]
# What the log says of a fault of the program; nothing that is done here is one.
FAULTS = ("request failed", "outside of its handler", "Unhandled exception", "Traceback")
DEPENDENCIES = {"postgres": "database", "redis": "redis", "cassandra": "cassandra", "s3": "objects", "smtp": "mail"}


class Markers:
    """Makes secrets; each holds a marker that nothing but a leak can bring into a text."""

    def __init__(self) -> None:
        self._made: dict[str, str] = {}

    def secret(self, name: str) -> str:
        """With characters that are spelled differently in a URL."""
        self._made[name] = secrets.token_hex(12)
        return f"Zx!{self._made[name]}~/K"

    def plain(self, name: str) -> str:
        self._made[name] = secrets.token_hex(16)
        return self._made[name]

    def watch(self, name: str, secret: str) -> None:
        """One that others made."""
        self._made[name] = secret

    def found_in(self, text: str) -> list[str]:
        folded = text.casefold()
        found = [name for name, marker in self._made.items() if marker.casefold() in folded]
        found += [f"{name} in base64" for name, marker in self._made.items() if _encoded(marker, text)]
        return found + [address for address in CLIENT_ADDRESSES if address in text]


def _encoded(marker: str, text: str) -> bool:
    """As a part of something longer, wherever it begins in it."""
    return any(base64.b64encode(b"x" * before + marker.encode())[4:-4].decode() in text for before in range(3))


@pytest.fixture
def markers() -> Markers:
    return Markers()


def secretive(markers: Markers, folder: Path) -> dict[str, str]:
    """What every installation below has."""
    return {
        "SECURITY_SECRET": markers.secret("signing secret") * 2,
        "TELEMETRY_METRICS_TOKEN": markers.plain("metrics token"),
        "TELEMETRY_OTLP_ENDPOINT": f"http://{HOST}:{free_port()}",
        "TELEMETRY_SAMPLE_RATIO": "1.0",
        "LOGGING_LEVEL": "debug",
        "LOGGING_FILE": str(folder / "server.log"),
        "LOGGING_MAX_SIZE": "64KiB",
        "LOGGING_KEEP": "100",
        "SERVER_TRUSTED_PROXIES": "127.0.0.0/8",
        "LIMITS_DEFAULT": "1000000",
    }


def dead_stores(markers: Markers) -> dict[str, str]:
    """Stores that are not there. Without a relational one, for nothing starts without it."""
    return {
        "REDIS_URL": f"redis://someone:{quote(markers.secret('dead redis'), safe='')}@{HOST}:{free_port()}/0",
        "OBJECTS_ENDPOINT": f"http://{HOST}:{free_port()}",
        "OBJECTS_ACCESS_KEY": "someone",
        "OBJECTS_SECRET_KEY": markers.secret("dead s3"),
        "MAIL_HOST": HOST,
        "MAIL_PORT": str(free_port()),
        "MAIL_SECURITY": "none",
        "MAIL_USERNAME": "someone",
        "MAIL_PASSWORD": markers.secret("dead smtp"),
        "MESSAGES_USERNAME": "someone",
        "MESSAGES_PASSWORD": markers.secret("cassandra"),
        "OBJECTS_TIMEOUT": "1s",
        "OBJECTS_STALL_TIMEOUT": "1s",
        "REDIS_TIMEOUT": "500ms",
        "MAIL_TIMEOUT": "1s",
    }


def logged_in(markers: Markers, stores: Stores, lines: Mapping[str, CutProxy]) -> dict[str, str]:
    """Logins where the servers of the tests ask for none."""
    password = markers.secret("redis user")
    with socket.create_connection((stores.redis.host, stores.redis.port)) as admin:
        admin.sendall(f"ACL SETUSER product on >{password} ~* &* +@all\r\n".encode())
        assert admin.recv(100).startswith(b"+OK")
    return {
        "REDIS_URL": f"redis://product:{quote(password, safe='')}@{HOST}:{lines['redis'].port}/0",
        "MESSAGES_USERNAME": "someone",
        "MESSAGES_PASSWORD": markers.secret("cassandra"),
    }


async def shown(server: ServerProcess) -> str:
    """What it tells whoever asks, from this machine with the token, and from elsewhere without."""
    texts = []
    token = {"Authorization": f"Bearer {server.settings['TELEMETRY_METRICS_TOKEN']}"}
    async with aiohttp.ClientSession(server.url) as session:
        for path in ("/metrics", "/health", "/health/ready", "/openapi.json", "/docs", "/"):
            for headers in ({}, token, {"X-Forwarded-For": CLIENT_ADDRESSES[0]}):
                async with session.get(path, headers=headers) as answer:
                    texts.append(f"{path} {answer.status} {sorted(answer.headers.items())} {await answer.text()}")
    return "\n".join(texts)


def written(server: ServerProcess) -> str:
    logs = sorted(server.folder.glob("server.log*"))
    assert logs
    return "\n".join(path.read_text() for path in (server.output, *logs))


async def printed(server: ServerProcess) -> str:
    """What the commands print of the same configuration."""

    async def of(*words: str) -> str:
        done = await asyncio.to_thread(
            subprocess.run,
            [*CLI, *words],
            env=server.environment(),
            capture_output=True,
            text=True,
            cwd=server.folder,
            timeout=90,
            check=False,
        )
        return f"{words} {done.returncode} {done.stdout} {done.stderr}"

    return "\n".join(
        await asyncio.gather(of("config", "print"), of("config", "check"), of("db", "status"), of("doctor"))
    )


async def use(server: ServerProcess, seconds: float) -> None:
    async with running_load(server.url, [Client(f"{write}-{secrets.token_hex(3)}", write) for write in WRITES]):
        await asyncio.sleep(seconds)


async def test_nothing_secret_is_written_while_stores_are_not_there(tmp_path: Path, markers: Markers) -> None:
    server = ServerProcess(tmp_path, secretive(markers, tmp_path) | dead_stores(markers))
    async with running_process(server):
        await push(server.port, markers.plain("request"))
        await use(server, 2)
        told = await shown(server)
        assert await server.stop() == 0
    told += written(server) + await printed(server)
    assert "dependency_circuit_open" in told
    assert not [fault for fault in FAULTS if fault in told]
    assert markers.found_in(told) == []


async def test_nothing_secret_is_written_while_real_stores_come_and_go(
    stores: Stores, tmp_path: Path, markers: Markers
) -> None:
    database_url = await asyncio.to_thread(stores.postgres.create_database)
    markers.watch("database password", database_url.partition("@")[0].rpartition(":")[2])
    markers.watch("s3 secret key", stores.s3.secret_key)
    markers.watch("smtp password", stores.smtp.password)
    async with cables(stores) as lines:
        settings = settings_through(lines, stores, database_url) | logged_in(markers, stores, lines)
        server = ServerProcess(tmp_path, secretive(markers, tmp_path) | settings)
        async with running_process(server):
            await push(server.port, markers.plain("request"))
            told = await shown(server)
            for name, line in lines.items():
                line.cut()
                await use(server, 1)
                told += await shown(server)
                assert f'dependency_errors_total{{dependency="{DEPENDENCIES[name]}"' in told
                line.mend()
            for line in lines.values():
                line.stall()
            await push(server.port, markers.plain("request in an outage"))
            await use(server, 1.5)
            told += await shown(server)
            for line in lines.values():
                line.mend()
            await use(server, 2)
            assert await server.stop() == 0
        told += written(server) + await printed(server)
        for line in lines.values():
            line.cut()
        told += await printed(server)
    assert not [fault for fault in FAULTS if fault in told]
    assert markers.found_in(told) == []


async def test_a_refused_login_is_told_without_the_password(
    postgres: PostgresService, tmp_path: Path, markers: Markers
) -> None:
    wrong = quote(markers.secret("wrong password"), safe="")
    address = (await asyncio.to_thread(postgres.create_database)).partition("@")[2]
    settings = secretive(markers, tmp_path) | {"DATABASE_URL": f"postgresql://secureconnect:{wrong}@{address}"}
    server = ServerProcess(tmp_path, settings)
    try:
        server.launch()
        async with asyncio.timeout(30):
            while "the login was refused" not in server.output.read_text():
                await asyncio.sleep(0.1)
        await server.kill()
    finally:
        server.end()
    assert markers.found_in(written(server) + await printed(server)) == []


@pytest.mark.parametrize(
    "setting",
    [
        ("DATABASE_URL", "mysql://someone:{}@db/name"),
        ("DATABASE_URL", "postgresql://someone:{}@db:port/name"),
        ("DATABASE_URL", "{}"),
        ("REDIS_URL", "http://:{}@redis"),
        ("DATABASE_REPLICA_URLS", "postgresql://someone:{}@db/name,nonsense"),
        ("MAIL_PASSWORD", "{}\udcff"),
        ("SECURITY_SECRTE", "{}"),
    ],
    ids=lambda setting: f"{setting[0]}={setting[1][:8]}",
)
async def test_a_configuration_that_cannot_be_used_is_told_without_its_secrets(
    tmp_path: Path, markers: Markers, setting: tuple[str, str]
) -> None:
    name, value = setting
    server = ServerProcess(tmp_path, {name: value.format(markers.plain("configured"))}, command=[*CLI, "serve"])
    done = await asyncio.to_thread(
        subprocess.run,
        [*CLI, "serve"],
        env=server.environment(),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert name.rpartition("_")[0] in done.stderr.upper().replace(".", "_")
    assert markers.found_in(done.stdout + done.stderr) == []
