"""The mails that a world has written to somebody."""

from __future__ import annotations

import asyncio
import email
import email.policy

from tests.worlds import World


def mails_to(here: World, to: str) -> list[tuple[str, str]]:
    """Subject and text of each, the earliest first."""
    found = []
    for file in sorted(here.outbox.glob("*.eml")):
        mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        text = mail.get_body(("plain",))
        if text is not None and str(mail["To"]) == to:
            found.append((str(mail["Subject"]), text.get_content()))
    return found


async def told(here: World, to: str, what: str) -> None:
    """Wait for a mail that says so."""
    async with asyncio.timeout(10):
        while not any(what in text for _, text in await asyncio.to_thread(mails_to, here, to)):
            await asyncio.sleep(0.05)
