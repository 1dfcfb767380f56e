"""Mail without a mail server: files in a directory, for the embedded default and for trying things out."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from adapters.guard import Guard
from adapters.outbound.messages import Composer, Recipient
from kernel.clock import Clock
from kernel.errors import DependencyUnavailable
from kernel.health import ProbeResult
from kernel.mail import Mail

Result = TypeVar("Result")

# Beyond this the oldest are removed: a forgotten development server does not fill its disk.
KEPT: Final = 1000

_LINK: Final = re.compile(r"https?://[!#-;=?-~]+")


class OutboxMailer:
    """Writes each mail to ``directory`` as an .eml file (0600), named after its time and its message id: a mail sent
    again replaces itself.

    ``announce`` is told the subject, the file and the links in it. They are as secret as the mail: it is for the
    terminal of whoever started the server, never for a log.
    """

    def __init__(
        self,
        directory: Path,
        *,
        composer: Composer,
        guard: Guard,
        writer: ThreadPoolExecutor,
        announce: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._composer = composer
        self._guard = guard
        self._writer = writer
        self._announce = announce
        self._clock = clock

    async def send(self, mail: Mail) -> None:
        now = self._clock.now()
        message = self._composer.compose(mail, Recipient.parse(mail.to), now=now)
        identity = hashlib.sha256(self._composer.message_id(mail).encode()).hexdigest()[:16]
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        path = self._directory / f"{stamp}-{identity}.eml"
        await self._guard.call(lambda: self._in_thread(lambda: self._write(path, identity, message)))
        self._announce(" ".join([f"mail {mail.subject!r} is in {path}", *_LINK.findall(mail.text)]))

    async def look(self) -> None:
        def check() -> None:
            if not os.access(self._directory, os.W_OK):
                raise DependencyUnavailable("mail", f"{self._directory} is not writable for this user")

        await self._in_thread(check)

    def _write(self, path: Path, identity: str, message: bytes) -> None:
        earlier = [kept for kept in self._directory.glob(f"*-{identity}.eml") if kept != path]
        draft = path.with_suffix(".draft")
        try:
            draft.touch(mode=0o600)
            with draft.open("wb") as file:
                file.write(message)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        for kept in [*earlier, *self._surplus()]:
            kept.unlink(missing_ok=True)
        self._sync()

    def _surplus(self) -> list[Path]:
        """The names begin with the time, so the oldest come first."""
        return sorted(self._directory.glob("*.eml"))[:-KEPT]

    def _sync(self) -> None:
        fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    async def _in_thread(self, step: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._writer, step)


class OutboxDirectory:
    """The dependency."""

    name = "mail"
    required = False

    def __init__(self, mailer: OutboxMailer, guard: Guard) -> None:
        self._mailer = mailer
        self._guard = guard

    async def probe(self) -> ProbeResult:
        return await self._guard.probe(self._mailer.look)


@asynccontextmanager
async def open_outbox_writer(directory: Path) -> AsyncIterator[ThreadPoolExecutor]:
    """One thread, so that mails are written one after the other; the directory is private to this user."""
    writer = ThreadPoolExecutor(1, thread_name_prefix="outbox")
    try:
        await asyncio.get_running_loop().run_in_executor(writer, _prepare, directory)
        yield writer
    finally:
        writer.shutdown(wait=True, cancel_futures=True)


def _prepare(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for abandoned in directory.glob("*.draft"):
        with suppress(OSError):
            abandoned.unlink()
