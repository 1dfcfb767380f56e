"""Servers under measurement: each alone in a network namespace, on a core of its own, its CPU read from the kernel."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

SERVER_CORE, LOAD_CORE = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Namespace:
    """``server`` is the address inside, ``load`` ours."""

    name: str
    server: str
    load: str


@asynccontextmanager
async def namespace(number: int = 0) -> AsyncIterator[Namespace]:
    """A veth pair between it and us: no loopback, whose senders pay for the receivers, and which some servers never
    gather. Needs root."""
    name = f"scbench{number}"
    made = Namespace(name, f"10.213.{number}.1", f"10.213.{number}.2")
    inside = ["ip", "netns", "exec", name]
    for command in (
        ["ip", "netns", "add", name],
        ["ip", "link", "add", f"{name}h", "type", "veth", "peer", "name", f"{name}s", "netns", name],
        ["ip", "address", "add", f"{made.load}/24", "dev", f"{name}h"],
        ["ip", "link", "set", f"{name}h", "up"],
        [*inside, "ip", "address", "add", f"{made.server}/24", "dev", f"{name}s"],
        [*inside, "ip", "link", "set", f"{name}s", "up"],
        [*inside, "ip", "link", "set", "lo", "up"],
    ):
        subprocess.run(command, check=True, capture_output=True)  # noqa: ASYNC221 - before anything is measured
    try:
        yield made
    finally:
        # The pair at once: with its namespace it would go some time later, and the next one has its name.
        for command in (["ip", "link", "delete", f"{name}h"], ["ip", "netns", "delete", name]):
            subprocess.run(command, check=True, capture_output=True)  # noqa: ASYNC221


@dataclass(frozen=True, slots=True)
class Running:
    pid: int
    url: str

    def cpu_seconds(self) -> float:
        """Of all its threads, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def started(
    where: Namespace,
    command: Sequence[str],
    *,
    log: Path,
    port: int,
    environment: Mapping[str, str] | None = None,
    patience: float = 30.0,
) -> AsyncIterator[Running]:
    """Up to the moment at which its port is open; ended by SIGTERM."""
    words = ["ip", "netns", "exec", where.name, "taskset", "-c", str(SERVER_CORE), *command]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *words, stdout=output, stderr=output, cwd=log.parent, env={**os.environ, **(environment or {})}
        )
    try:
        async with asyncio.timeout(patience):
            while not await _is_open(where.server, port):
                if process.returncode is not None:
                    raise RuntimeError(f"{command[0]} ended by itself; see {log}")
                await asyncio.sleep(0.1)
        # Each of these words replaces itself by the next: the process is still the one that was started.
        yield Running(process.pid, f"http://{where.server}:{port}")
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _is_open(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
