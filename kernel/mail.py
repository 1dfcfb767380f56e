"""Mail, as rooms send it. Delivery goes through the job queue, so a send is retried by its job and never waits here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mail:
    """One recipient a mail. ``message_id`` is stable over retries, so that a receiver can recognise a repeat."""

    message_id: str
    to: str
    subject: str
    text: str
    html: str | None = None


class Mailer(Protocol):
    async def send(self, mail: Mail) -> None:
        """Handed over to the next server when it returns. DependencyUnavailable: try later.
        Unprocessable ``mail_refused``: this recipient or message will never be accepted."""
        ...
