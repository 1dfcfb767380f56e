"""A real server as the tests hold it: one process tree, unprivileged, on loopback, ended with us.

Three things end a server: ``stop`` at the end of the session, the kernel when our process dies (its parent-death
signal), and the next session, which reads what a killed one left behind (``Session``).
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

import psutil

from tooling import provision

HOST = "127.0.0.1"

# Below the range the kernel hands out to outgoing connections: the port of a killed server can be taken by
# nobody's client, and a client that redials it cannot meet itself in the middle.
PORTS = range(20_000, 32_000)

NOBODY = "nobody"
STOP_TIMEOUT = 10.0
# At the end of a session nothing of theirs is needed any more: whoever takes longer to go is killed.
GRACE = 1.0
OWNER = "owner"
DIRECTORY_PREFIX = "secureconnect-servers-"


class ServiceFailed(Exception):
    """A server did not start; the message carries the end of its log."""


def free_port() -> int:
    for port in random.sample(PORTS, 200):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((HOST, port))
                return port
    raise ServiceFailed(f"no free port between {PORTS.start} and {PORTS.stop}")


def unprivileged(user: str) -> list[str]:
    """The words in front of a command that make it die with us and, when we are root, run as ``user``."""
    words = ["setpriv", "--pdeathsig", "KILL"]
    if os.geteuid() == 0:
        account = pwd.getpwnam(user)
        words += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--no-new-privs"]
    return [*words, "--"]


class Session:
    """The directory of one test session, and the servers that live in it.

    A parent-death signal follows the *thread* that started the child, so every server is started by the one thread
    kept here, never by a test's short-lived worker thread.
    """

    def __init__(self) -> None:
        _remove_leftovers()
        self.directory = Path(tempfile.mkdtemp(prefix=DIRECTORY_PREFIX))
        self.directory.chmod(0o711)
        self._processes = self.directory / "processes"
        self._processes.mkdir(mode=0o700)
        self._owner = _own(self._processes / OWNER)
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="service-starter")
        self._starter.submit(int).result()
        self._services: list[Service] = []

    def adopt(self, service: Service) -> None:
        self._services.append(service)

    def record(self, name: str, pid: int) -> None:
        entry = self._processes / f"{name}.json"
        unfinished = entry.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({"pid": pid, "started": _started(pid)}))
        unfinished.rename(entry)

    def spawn(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
        def start() -> subprocess.Popen[bytes]:
            with log.open("ab") as output:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    cwd="/",
                    start_new_session=True,
                )

        process = self._starter.submit(start).result()
        with suppress(OSError):
            self.record(name, process.pid)
        return process

    def private_directory(self, name: str, user: str) -> Path:
        directory = self.directory / name
        directory.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(directory, user, pwd.getpwnam(user).pw_gid)
        return directory

    def close(self) -> None:
        for service in reversed(self._services):
            service.stop()
            keep_log(service.log)
        self._starter.shutdown()
        shutil.rmtree(self.directory, ignore_errors=True)
        self._owner.close()


def keep_log(log: Path) -> None:
    """The last session's logs stay readable when its directory is gone."""
    kept = provision.cache_root() / "logs" / "services"
    kept.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        shutil.copyfile(log, kept / log.name)


def _remove_leftovers() -> None:
    """Ends the servers and deletes the directories of sessions that were killed before they could do it."""
    for directory in Path(tempfile.gettempdir()).glob(f"{DIRECTORY_PREFIX}*"):
        with suppress(OSError, ValueError, KeyError):
            if directory.is_symlink() or directory.stat().st_uid != os.geteuid():
                continue
            if not _is_orphaned(directory / "processes" / OWNER):
                continue
            for entry in (directory / "processes").glob("*.json"):
                process = _recorded(entry)
                if process is not None:
                    _signal_all(_tree(process), signal.SIGKILL)
            shutil.rmtree(directory, ignore_errors=True)


def _own(path: Path) -> IO[str]:
    """The lock says that the session lives: the kernel lets go of it when its process is gone, however it went."""
    unfinished = path.with_suffix(".unfinished")
    held = unfinished.open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    unfinished.rename(path)
    return held


def _is_orphaned(path: Path) -> bool:
    with path.open() as owner:
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _recorded(entry: Path) -> psutil.Process | None:
    """The process an entry names, if it is still that process: pids are used again, start times tell."""
    recorded = json.loads(entry.read_text())
    with suppress(OSError, psutil.NoSuchProcess):
        process = psutil.Process(recorded["pid"])
        if _started(process.pid) == recorded["started"] and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _started(pid: int) -> int:
    """Ticks from the machine's start to the process's: unlike a time of day, no correction of the clock moves it."""
    after_the_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    return int(after_the_name.split()[19])


def _tree(process: psutil.Process) -> list[psutil.Process]:
    """Parent first: signalled in this order, it cannot replace children while they go."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def _is_stopped(process: psutil.Process) -> bool:
    for thread in Path(f"/proc/{process.pid}/task").glob("*/stat"):
        try:
            state = thread.read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue  # it has just ended
        if state not in "TtZX":
            return False
    return True


def _signal_all(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


class Service(ABC):
    """One server. ``start`` blocks until it answers; kill, pause and resume act on its whole process tree.

    Everything here blocks; from an async test call ``await asyncio.to_thread(service.start)`` where the loop
    has to keep running meanwhile.
    """

    name: str
    user = NOBODY
    host = HOST
    stop_signal = signal.SIGTERM
    start_timeout = 60.0

    def __init__(self, session: Session) -> None:
        self._session = session
        self.directory = session.private_directory(self.name, self.user)
        self.log = session.directory / f"{self.name}.log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        session.adopt(self)

    @abstractmethod
    def command(self) -> list[str]:
        """What runs the server in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves requests, not merely whether its port is open."""

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.directory), "LANG": "C.UTF-8"}

    def prefix(self) -> list[str]:
        return unprivileged(self.user)

    def start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._process = self._session.spawn(self.name, [*self.prefix(), *self.command()], self.environment(), self.log)
        deadline = time.monotonic() + self.start_timeout
        while not self.answers():
            if self._process.poll() is not None:
                raise ServiceFailed(f"{self.name} ended with status {self._process.returncode}:\n{self._log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServiceFailed(f"{self.name} did not answer in {self.start_timeout} s:\n{self._log_tail()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, and gone when this returns."""
        if self._process is None:
            return
        # Stopped first: what it forked between a look at its children and its end would live on, and PostgreSQL
        # does not start again while one of its old processes is there.
        _signal_all(self.processes()[:1], signal.SIGSTOP)
        processes = self.processes()
        _signal_all(processes, signal.SIGKILL)
        self._process.wait(STOP_TIMEOUT)
        psutil.wait_procs(processes, STOP_TIMEOUT)

    def pause(self) -> None:
        """SIGSTOP: connections stay, nothing answers. Each thread stops when it next enters the kernel, so this waits
        until none of them can answer any more."""
        processes = self.processes()
        _signal_all(processes, signal.SIGSTOP)
        deadline = time.monotonic() + STOP_TIMEOUT
        while not all(map(_is_stopped, processes)) and time.monotonic() < deadline:
            time.sleep(0.001)

    def resume(self) -> None:
        _signal_all(reversed(self.processes()), signal.SIGCONT)

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self.resume()
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.kill()

    def processes(self) -> list[psutil.Process]:
        """What is running of it now, parent first."""
        if self._process is None or self._process.poll() is not None:
            return []
        with suppress(psutil.NoSuchProcess):
            return _tree(psutil.Process(self._process.pid))
        return []

    def _log_tail(self) -> str:
        if not self.log.exists():
            return "(it wrote nothing)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])
