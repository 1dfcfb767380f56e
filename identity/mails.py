"""What accounts are written about, as text and as HTML, through the job queue."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from kernel.ids import IdGenerator
from kernel.mailqueue import MailQueue
from kernel.mailtemplates import Link, MailTemplate
from kernel.units import Transaction


@dataclass(frozen=True, slots=True)
class _Asked:
    """Somebody is asked to follow a link."""

    name: str
    link: Link


@dataclass(frozen=True, slots=True)
class _Told:
    name: str
    what: str


def _asking(subject: str, why: str, act: str, otherwise: str) -> MailTemplate[_Asked]:
    return MailTemplate(
        _Asked,
        subject=subject,
        text=f"Hello ${{name}},\n\n{why}\n\n${{link}}\n\n{otherwise}\n",
        html=f'<p>Hello ${{name}},</p><p>{why}</p><p><a href="${{link}}">{act}</a></p><p>{otherwise}</p>',
    )


_VERIFY = _asking(
    "Confirm your e-mail address",
    "somebody, probably you, made an account with this address. Confirm it within a day:",
    "Confirm this address",
    "If it was not you, do nothing; without this confirmation the address stays unconfirmed.",
)
_CHANGE = _asking(
    "Confirm your new e-mail address",
    "you asked to use this address for your account. Confirm it within a day:",
    "Use this address",
    "If it was not you, do nothing; the account keeps its old address.",
)
_RESET = _asking(
    "Choose a new password",
    "somebody, probably you, asked for a new password. Choose it within an hour:",
    "Choose a new password",
    "If it was not you, do nothing; your password stays as it is.",
)
_NOTICE = MailTemplate(
    _Told,
    subject="Your account was changed",
    text="Hello ${name},\n\n${what}\n\nIf it was not you, choose a new password now and sign out everywhere.\n",
    html="<p>Hello ${name},</p><p>${what}</p>"
    "<p>If it was not you, choose a new password now and sign out everywhere.</p>",
)


# What a mail program makes a link of, to a place or to a telephone. Anybody can register somebody else's address, and
# choose the name we greet.
_LINK_LIKE: Final = re.compile(r"\S[.。]\S|[/\\@:]|www|(?:\d\W*){5}", re.IGNORECASE)


class Addressee(Protocol):
    """An account."""

    @property
    def id(self) -> UUID: ...

    @property
    def email(self) -> str: ...

    @property
    def display_name(self) -> str: ...


class AccountMails:
    """``base_url`` is where people reach this server. Secrets stand in the fragment, which no server's log sees."""

    def __init__(self, queue: MailQueue, ids: IdGenerator, base_url: str) -> None:
        self._queue = queue
        self._ids = ids
        self._base_url = base_url.rstrip("/")

    async def verify(self, unit: Transaction, account: Addressee, secret: str) -> None:
        await self._ask(_VERIFY, unit, account, f"/verify-email#token={secret}")

    async def change(self, unit: Transaction, account: Addressee, to: str, secret: str) -> None:
        """``to`` is the address that the account is to have."""
        await self._ask(_CHANGE, unit, account, f"/change-email#token={secret}", to=to)

    async def reset(self, unit: Transaction, account: Addressee, secret: str) -> None:
        await self._ask(_RESET, unit, account, f"/reset-password#token={secret}")

    async def notice(self, unit: Transaction, account: Addressee, what: str) -> None:
        """``what`` is a sentence: "Your password was changed." """
        told = _Told(_greeted(account.display_name), what)
        mail = _NOTICE.mail(told, message_id=self._message_id(account), to=account.email)
        await self._queue.post(mail, within=unit)

    async def _ask(
        self, template: MailTemplate[_Asked], unit: Transaction, account: Addressee, path: str, *, to: str | None = None
    ) -> None:
        values = _Asked(_greeted(account.display_name), Link(self._base_url + path))
        mail = template.mail(values, message_id=self._message_id(account), to=to or account.email)
        await self._queue.post(mail, within=unit)

    def _message_id(self, account: Addressee) -> str:
        return f"{message_ids_of(account.id)}{self._ids.next()}"


def message_ids_of(account: UUID) -> str:
    """What ids of mails about an account begin with, whatever address they went to: so they are found again when it
    is erased. Hashed, because they are read outside."""
    return f"account-{hashlib.blake2b(account.bytes, digest_size=12, person=b'account mails').hexdigest()}-"


def _greeted(name: str) -> str:
    return "there" if _LINK_LIKE.search(unicodedata.normalize("NFKC", name)) else name
