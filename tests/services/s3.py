"""Two real S3 servers: OpenStack Swift's S3 API, and MinIO."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
from pathlib import Path

from tests.services.process import Service, Session, free_port
from tooling import provision


class S3Service(Service):
    """An S3 endpoint with one account; what it stored survives ``kill`` and ``start``."""

    region = "us-east-1"
    access_key: str
    health_path: str

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.secret_key = secrets.token_hex(20)

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}:{self.port}"

    def answers(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", self.health_path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class SwiftService(S3Service):
    name = "swift"
    access_key = "tests:tester"
    health_path = "/healthcheck"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._program = self.directory / "swift_server.py"
        shutil.copyfile(Path(__file__).with_name("swift_server.py"), self._program)
        self._settings = self.directory / "settings.json"
        settings = {
            "directory": str(self.directory),
            "host": self.host,
            "region": self.region,
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "ports": {kind: free_port() for kind in ("account", "container", "object")} | {"proxy": self.port},
        }
        self._settings.write_text(json.dumps(settings))
        self._settings.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(self._settings, self.user)

    def command(self) -> list[str]:
        return [str(provision.swift_python()), "-P", str(self._program), str(self._settings)]


class MinioService(S3Service):
    name = "minio"
    access_key = "tests-access"
    # Not /ready: restarted after a kill it says so early, and a request in that moment waits for a minute.
    health_path = "/minio/health/cluster"
    # Asked to end it waits ten seconds for connections; what it holds is thrown away in any case.
    stop_signal = signal.SIGKILL

    def command(self) -> list[str]:
        listen = ["--address", f"{self.host}:{self.port}", "--console-address", f"{self.host}:{free_port()}"]
        return [str(provision.minio_program()), "server", "--quiet", *listen, str(self.directory / "data")]

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_REGION": self.region,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            "GOMEMLIMIT": "256MiB",
            "GOMAXPROCS": "2",
        }
