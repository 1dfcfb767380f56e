"""Redis: one server that keeps what it acknowledged over a SIGKILL (append-only file), bounded in memory."""

from __future__ import annotations

import socket

from tests.services.process import Service


class RedisService(Service):
    name = "redis"

    @property
    def url(self) -> str:
        return f"redis://{self.host}:{self.port}/0"

    def command(self) -> list[str]:
        settings = {
            "bind": self.host,
            "port": str(self.port),
            "dir": str(self.directory),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
        }
        return ["redis-server", *(word for key, value in settings.items() for word in (f"--{key}", value))]

    def answers(self) -> bool:
        return self._ask(b"PING\r\n").startswith(b"+PONG")

    def flush(self) -> None:
        """Forgets every key, script and function."""
        for command in (b"FLUSHALL\r\n", b"SCRIPT FLUSH\r\n"):
            reply = self._ask(command)
            if not reply.startswith(b"+OK"):
                raise AssertionError(f"redis answered {reply!r} to {command!r}")

    def _ask(self, command: bytes) -> bytes:
        try:
            with socket.create_connection((self.host, self.port), timeout=5) as connection:
                connection.sendall(command)
                return connection.recv(256)
        except OSError:
            return b""
