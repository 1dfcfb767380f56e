"""Mails in the outbox directory, which stands in for a mail server where none is configured."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from email import message_from_binary_file
from email.policy import default
from pathlib import Path
from uuid import UUID

from kernel.datarights import NamedObject


class OutboxMails:
    """kernel.datarights.PersonalThings: the files of mails to somebody."""

    name = "outbox"

    def __init__(self, directory: Path, addresses: Callable[[UUID], Awaitable[Collection[str]]]) -> None:
        self._directory = directory
        self._addresses = addresses

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        return []

    async def erase(self, person: UUID) -> int:
        addresses = await self._addresses(person)
        return await asyncio.to_thread(self._remove, addresses) if addresses else 0

    def _remove(self, addresses: Collection[str]) -> int:
        removed = 0
        for file in self._directory.glob("*.eml"):
            if _recipients(file) & {address.lower() for address in addresses}:
                file.unlink(missing_ok=True)
                removed += 1
        return removed


def _recipients(file: Path) -> set[str]:
    """None of a mail that was replaced or is no longer among the latest."""
    try:
        with file.open("rb") as opened:
            message = message_from_binary_file(opened, policy=default)
    except FileNotFoundError:
        return set()
    return {address.addr_spec.lower() for header in message.get_all("To", []) for address in header.addresses}
