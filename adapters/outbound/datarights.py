"""Mails in the outbox directory, which stands in for a mail server where none is configured."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from uuid import UUID

from identity.mails import message_ids_of
from kernel.datarights import NamedObject


class OutboxMails:
    """kernel.datarights.PersonalThings: the files of mails to somebody's addresses, and of those about their account,
    to whatever address they went."""

    name = "outbox"

    def __init__(self, directory: Path, addresses: Callable[[UUID], Awaitable[Collection[str]]]) -> None:
        self._directory = directory
        self._addresses = addresses

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        return []

    async def erase(self, person: UUID) -> int:
        addresses = {address.lower() for address in await self._addresses(person)}
        return await asyncio.to_thread(self._remove, addresses, f"<{message_ids_of(person)}")

    def _remove(self, addresses: Collection[str], message_ids: str) -> int:
        removed = 0
        for file in self._directory.glob("*.eml"):
            headers = _headers(file)
            if headers.get("Message-ID", "").startswith(message_ids) or not _recipients(headers).isdisjoint(addresses):
                file.unlink(missing_ok=True)
                removed += 1
        return removed


def _headers(file: Path) -> EmailMessage:
    """None of a mail that was replaced or is no longer among the latest."""
    try:
        with file.open("rb") as opened:
            return BytesParser(EmailMessage, policy=default).parse(opened, headersonly=True)
    except FileNotFoundError:
        return EmailMessage()


def _recipients(headers: EmailMessage) -> set[str]:
    return {address.addr_spec.lower() for header in headers.get_all("To", []) for address in header.addresses}
