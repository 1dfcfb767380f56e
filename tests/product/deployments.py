"""What a scenario needs to know of the deployment it runs on: the settings of its nodes, and where mail arrives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from config.sections import Settings
from tests.product.platforms import Stores, embedded_settings, scaled_settings


@dataclass(frozen=True)
class Deployment:
    """``settings`` are those of its first node, ``other`` those of a second one: of the same cluster when ``shares``,
    else of another installation on the same machine."""

    settings: Settings
    other: Settings
    shares: bool
    mails: Callable[[], list[EmailMessage]]

    def mails_to(self, recipient: str) -> list[EmailMessage]:
        return [mail for mail in self.mails() if mail["To"] == recipient]


def embedded(folder: Path) -> Deployment:
    outbox = folder / "one" / "outbox"

    def mails() -> list[EmailMessage]:
        return [_parsed(path.read_bytes()) for path in sorted(outbox.glob("*.eml"))]

    return Deployment(embedded_settings(folder / "one"), embedded_settings(folder / "other"), False, mails)


def scaled(folder: Path, stores: Stores) -> Deployment:
    settings = scaled_settings(folder, stores)
    return Deployment(settings, settings, True, lambda: [mail.message for mail in stores.smtp.messages])


def _parsed(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message
