"""Lines on their way out: a bounded queue, one thread that writes, files that rotate.

Whoever logs only appends to memory; a full disk or a reader that stopped reading costs lines, never time. When the
queue fills up, debug lines go first and errors last, and the number of lost ones is written as soon as there is room.
"""

from __future__ import annotations

import atexit
import os
import select
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

QUEUE_BYTES = 8 << 20
# Lines are gathered this long before they are written together: one wake-up and one write for a burst.
GATHER_SECONDS = 0.02
# How much of the queue lines of a level may fill, the most severe first.
_SHARES = ((40, "error", 1.0), (30, "warning", 0.9), (20, "info", 0.75), (0, "debug", 0.5))
_LOG_FILE_MODE = 0o640

Lines = tuple[bytes, ...]
DropNote = Callable[[Mapping[str, int]], Lines]


class Output(Protocol):
    def write(self, lines: Sequence[bytes]) -> None:
        """Blocks until written. OSError: some of the lines are lost."""
        ...

    def close(self) -> None: ...


class LogWriter:
    """``outputs`` pairs each output with the place of its format in the lines that are put.

    ``note`` makes the line that tells how many of each level were lost.
    """

    def __init__(
        self, outputs: Sequence[tuple[int, Output]], note: DropNote, *, queue_bytes: int = QUEUE_BYTES
    ) -> None:
        self._outputs = tuple(outputs)
        self._note = note
        self._rooms = [(level, name, int(queue_bytes * share)) for level, name, share in _SHARES]
        self._room_of = {level: self._room(level) for level in (10, 20, 30, 40, 50)}
        # Reentrant: a collected object's finaliser may log while this very thread is inside.
        self._lock = threading.RLock()
        self._lines: list[Lines] = []
        self._size = 0
        self._lost: dict[str, int] = {}
        self._lost_ever: dict[str, int] = {}
        self._awake = False
        self._closing = False
        # Held while there is nothing to do: releasing it is the cheapest wake-up there is.
        self._signal = threading.Lock()
        self._signal.acquire()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def put(self, level: int, lines: Lines) -> None:
        """Never blocks and never fails; a line that finds no room is counted."""
        size = sum(map(len, lines))
        with self._lock:
            name, room = self._room_of.get(level) or self._room(level)
            if self._closing or self._size + size > room:
                self._lost[name] = self._lost.get(name, 0) + 1
                self._lost_ever[name] = self._lost_ever.get(name, 0) + 1
                return
            self._lines.append(lines)
            self._size += size
            if not self._awake:
                self._awake = True
                self._signal.release()

    def _room(self, level: int) -> tuple[str, int]:
        for least, name, room in self._rooms[:-1]:
            if level >= least:
                return name, room
        return self._rooms[-1][1:]

    def lost(self) -> dict[str, int]:
        """Lines that were never written since the start, by level."""
        with self._lock:
            return dict(self._lost_ever)

    def close(self, timeout: float = 2.0) -> bool:
        """Write what is queued; False when that took longer than ``timeout`` (the rest is lost)."""
        with self._lock:
            if not self._closing:
                self._closing = True
                self._hurry.set()
                if not self._awake:
                    self._awake = True
                    self._signal.release()
        self._thread.join(timeout)
        atexit.unregister(self.close)
        return not self._thread.is_alive()

    def _run(self) -> None:
        closing = False
        while not closing:
            self._signal.acquire()
            self._hurry.wait(GATHER_SECONDS)
            with self._lock:
                batch, self._lines, self._size = self._lines, [], 0
                self._awake, closing = False, self._closing
            self._write(batch)
            with self._lock:
                lost, self._lost = self._lost, {}
            if lost:
                self._write([self._note(lost)])
        for _, output in self._outputs:
            with suppress(OSError):
                output.close()

    def _write(self, batch: list[Lines]) -> None:
        for place, output in self._outputs:
            try:
                output.write([lines[place] for lines in batch])
            except OSError:
                with self._lock:
                    self._lost["unwritten"] = self._lost.get("unwritten", 0) + len(batch)
                    self._lost_ever["unwritten"] = self._lost_ever.get("unwritten", 0) + len(batch)


class Descriptor:
    """An open descriptor such as standard error; not ours to close."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, lines: Sequence[bytes]) -> None:
        _write_all(self._descriptor, b"".join(lines))

    def close(self) -> None:
        pass


class RotatingFile:
    """``name``, and ``name.1`` (the youngest) to ``name.<keep>``; only whole lines, at most ``max_size`` each."""

    def __init__(self, path: Path, *, max_size: int, keep: int) -> None:
        self._path = path
        self._max_size = max_size
        self._keep = keep
        self._descriptor = -1
        self._size = 0
        self._open()

    def write(self, lines: Sequence[bytes]) -> None:
        if self._descriptor < 0:
            self._open()
        ready: list[bytes] = []
        for line in lines:
            if self._size and self._size + len(line) > self._max_size:
                _write_all(self._descriptor, b"".join(ready))
                ready = []
                self._rotate()
            ready.append(line)
            self._size += len(line)
        _write_all(self._descriptor, b"".join(ready))

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, _LOG_FILE_MODE)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep - 1, 0, -1):
            with suppress(FileNotFoundError):
                self._numbered(number).replace(self._numbered(number + 1))
        # Whoever moved the file away has rotated it for us.
        with suppress(FileNotFoundError):
            self._path.replace(self._numbered(1))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # Someone who shares our terminal or pipe made it non-blocking.
            select.select([], [descriptor], [])
