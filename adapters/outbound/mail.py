"""Opening the way mail goes out: an SMTP server where one is configured, else a directory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.guard import Guard
from adapters.outbound.messages import Composer
from adapters.outbound.outbox import OutboxDirectory, OutboxMailer, open_outbox_writer
from adapters.outbound.smtp import OUTAGES, SmtpMailer, SmtpServer
from config import sections
from kernel.clock import Clock
from kernel.health import Dependency
from kernel.mail import Mailer
from kernel.metrics import Metrics


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    mailer: Mailer
    dependency: Dependency


@asynccontextmanager
async def open_mailer(
    settings: sections.Mail,
    *,
    data_dir: Path,
    announce: Callable[[str], None],
    clock: Clock,
    metrics: Metrics,
) -> AsyncIterator[OutgoingMail]:
    """``announce`` hears, a line each, of the mails that went to the directory: see OutboxMailer."""
    composer = Composer(settings.sender)
    guard = Guard("mail", timeout=settings.timeout, outages=OUTAGES, clock=clock, metrics=metrics)
    if settings.host:
        smtp = SmtpMailer(settings, composer, guard, clock)
        yield OutgoingMail(smtp, SmtpServer(smtp, guard))
        return
    directory = data_dir / "outbox"
    async with open_outbox_writer(directory) as writer:
        outbox = OutboxMailer(directory, composer=composer, guard=guard, writer=writer, announce=announce, clock=clock)
        yield OutgoingMail(outbox, OutboxDirectory(outbox, guard))
