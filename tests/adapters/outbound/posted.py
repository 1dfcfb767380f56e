"""Opening mailers the way the composition root does, and reading what arrived."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Literal

from adapters.outbound import OutgoingMail, open_mailer
from config import sections
from config.values import Duration, Secret
from kernel.clock import Clock, SystemClock
from kernel.mail import Mail, Mailer
from kernel.metrics import Metrics
from tests.services.smtp import SmtpSink

SENDER = "SecureConnect <no-reply@meet.example>"

Security = Literal["none", "starttls", "tls"]


@dataclass(frozen=True)
class Post:
    mailer: Mailer
    received: Callable[[], Sequence[EmailMessage]]


def some_mail(to: str = "ada@example.org", message_id: str = "job-17@meet.example", **changes: str) -> Mail:
    return Mail(
        message_id=message_id,
        to=to,
        subject=changes.get("subject", "Verify your address"),
        text=changes.get("text", "Open https://meet.example/verify?token=abc to go on.\n"),
        html=changes.get("html", "<p>Open <a href='https://meet.example/verify?token=abc'>this</a>.</p>"),
    )


@asynccontextmanager
async def outbox(
    data_dir: Path, announce: Callable[[str], None] = lambda _line: None, clock: Clock | None = None
) -> AsyncIterator[OutgoingMail]:
    async with open_mailer(
        sections.Mail(sender=SENDER),
        data_dir=data_dir,
        announce=announce,
        clock=clock or SystemClock(),
        metrics=Metrics(),
    ) as outgoing:
        yield outgoing


@asynccontextmanager
async def smtp(
    sink: SmtpSink,
    port: int,
    *,
    security: Security = "none",
    host: str = "127.0.0.1",
    username: str = "",
    password: str = "",
    tls_ca: str = "",
    timeout: float = 5.0,
    metrics: Metrics | None = None,
) -> AsyncIterator[OutgoingMail]:
    settings = sections.Mail(
        host=host,
        port=port,
        security=security,
        tls_ca=tls_ca or str(sink.ca_file),
        username=username,
        password=Secret(password),
        sender=SENDER,
        timeout=Duration(timeout),
    )
    async with open_mailer(
        settings,
        data_dir=Path("unused"),
        announce=lambda _line: None,
        clock=SystemClock(),
        metrics=metrics or Metrics(),
    ) as outgoing:
        yield outgoing


def mails_in(data_dir: Path) -> list[EmailMessage]:
    return [parsed(path.read_bytes()) for path in sorted((data_dir / "outbox").glob("*.eml"))]


def parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw.replace(b"\r\n", b"\n"), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage, kind: Literal["plain", "html"]) -> str:
    body = message.get_body((kind,))
    assert isinstance(body, EmailMessage)
    content = body.get_content()
    assert isinstance(content, str)
    return content
