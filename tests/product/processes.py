"""The server as a process of its own, on a port and a data directory that outlive it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.services.process import HOST, free_port

ROOT = Path(__file__).resolve().parents[2]
SERVER = [sys.executable, "-m", "tests.product.server"]
PROGRAM = [sys.executable, "-c", "import sys; from api.cli import main; sys.exit(main())", "serve"]
START_SECONDS = 60.0


@dataclass
class ServerProcess:
    """``settings`` are variables without their prefix: ``{"LIMITS_LOGIN": "5"}``; ``variables`` are any others."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = tuple(SERVER)
    variables: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    media_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SECURECONNECT_")}
        ours = {
            "SERVER_PORT": str(self.port),
            "SERVER_MEDIA_PORT": str(self.media_port),
            "SERVER_DATA_DIR": str(self.data_dir),
            **self.settings,
        }
        configured = {f"SECURECONNECT_{name}": value for name, value in ours.items()}
        return kept | {"PYTHONPATH": str(ROOT), **self.variables} | configured

    def launch(self) -> None:
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, env=self.environment(), stdout=output, stderr=output, cwd=self.folder
            )

    async def start(self) -> None:
        """Returns when it answers."""
        self.launch()
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        async with aiohttp.ClientSession(self.url) as session:
            while not await _answers(session):
                assert self.process.poll() is None, self.output.read_text()
                assert time.monotonic() < deadline, self.output.read_text()
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(self.process.wait)

    async def stop(self, within: float = 30.0) -> int:
        """SIGTERM; answers the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, within)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


async def _answers(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get("/health/live") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def running_process(server: ServerProcess) -> AsyncIterator[ServerProcess]:
    """Started, with the workload's tables; ended with the block, however often it was started again."""
    try:
        await server.start()
        async with aiohttp.ClientSession(server.url) as session, session.post("/v1/product/tables") as answer:
            assert answer.status == 204, await answer.text()
        yield server
    finally:
        server.end()
