"""PostgreSQL: a private cluster on a private port, thrown away with the session."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from functools import cached_property
from pathlib import Path

from tests.services.process import NOBODY, Service, ServiceFailed, Session
from tooling.provision import postgres_programs

# Crash safety against a power cut costs an fsync a commit and proves nothing here: what a killed process has
# written, the kernel still holds.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",
    "autovacuum_max_workers": "1",
    "max_parallel_workers": "0",
    "log_min_messages": "fatal",
}


class PostgresService(Service):
    name = "postgres"
    user = "postgres" if os.geteuid() == 0 else NOBODY
    stop_signal = signal.SIGQUIT
    role = "secureconnect"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._password = secrets.token_hex(16)
        self._databases = 0
        self._initialise()

    @cached_property
    def _programs(self) -> Path:
        return postgres_programs()

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _initialise(self) -> None:
        # The server's account has to read it; it lies in a directory only that account can enter.
        password_file = self.directory / "password"
        password_file.write_text(self._password)
        password_file.chmod(0o644)
        self._run(
            *self.prefix(),
            str(self._programs / "initdb"),
            f"--pgdata={self._data}",
            f"--username={self.role}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        )

    def command(self) -> list[str]:
        settings = [word for key, value in SETTINGS.items() for word in ("-c", f"{key}={value}")]
        return [
            str(self._programs / "postgres"),
            "-D",
            str(self._data),
            "-h",
            self.host,
            "-p",
            str(self.port),
            *settings,
        ]

    def answers(self) -> bool:
        probe = [str(self._programs / "pg_isready"), "-q", "-h", self.host, "-p", str(self.port), "-U", self.role]
        return subprocess.run(probe, check=False, timeout=10).returncode == 0

    def create_database(self) -> str:
        """A fresh, empty database; answers its URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.execute("postgres", f"CREATE DATABASE {name}")
        return f"postgresql://{self.role}:{self._password}@{self.host}:{self.port}/{name}"

    def execute(self, database: str, statement: str) -> str:
        """Runs one statement as the superuser, for what a test does behind our back; answers psql's output."""
        return self._run(
            str(self._programs / "psql"),
            *("-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"),
            *("-h", self.host, "-p", str(self.port), "-U", self.role, "-d", database, "-c", statement),
        )

    def _run(self, *command: str) -> str:
        environment = {**self.environment(), "PGPASSWORD": self._password}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd="/", timeout=60, check=False
        )
        if done.returncode:
            raise ServiceFailed(f"{Path(command[0]).name} failed: {done.stderr.strip()}")
        return done.stdout
