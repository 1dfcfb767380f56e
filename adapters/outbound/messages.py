"""From a Mail to the bytes that travel, and the refusal of everything that would not be one mail to one address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from typing import Final, Self

import idna

from kernel.errors import Unprocessable
from kernel.mail import Mail

_LOCAL: Final = re.compile(r"[^\x00-\x20\x7f-\x9f\"(),:;<>@\[\\\]]{1,64}")
_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,200}(?:@[A-Za-z0-9.-]{1,200})?")
# RFC 5321, angle brackets included.
_MAX_ADDRESS: Final = 254

# Seven bits go through every server; their encoding costs a third of a short text.
_ASCII: Final = SMTP.clone(cte_type="7bit")
_UNICODE: Final = SMTPUTF8.clone(cte_type="7bit")


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address as the envelope carries it: an international domain in its ASCII form."""

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises Unprocessable ``mail_refused``. Quoted local parts and address literals are refused too: no one
        we send to has one, and every parser of them is one more that can be fooled."""
        local, _, domain = text.rpartition("@")
        if not _LOCAL.fullmatch(local) or local.startswith(".") or local.endswith(".") or ".." in local:
            raise _refused("this is not a mail address")
        try:
            ascii_domain = idna.encode(domain, uts46=True, std3_rules=True).decode()
        except (idna.IDNAError, UnicodeError):
            raise _refused("the address's domain is not one") from None
        recipient = cls(local, ascii_domain)
        if not text.isprintable():  # lone surrogates among others, which no encoding carries
            raise _refused("this is not a mail address")
        if len(recipient.address.encode()) > _MAX_ADDRESS:
            raise _refused("the address is too long")
        return recipient

    @property
    def address(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def needs_utf8(self) -> bool:
        """Whether only a server with SMTPUTF8 (RFC 6531) can carry it."""
        return not self.local.isascii()


class Composer:
    """Makes messages from ``sender`` ("Name <address>"), whose domain also completes message ids."""

    def __init__(self, sender: str) -> None:
        self._from = _one_address(sender)
        self.sender = Recipient(self._from.username, self._from.domain)

    def message_id(self, mail: Mail) -> str:
        stable = mail.message_id.removeprefix("<").removesuffix(">")
        if not _MESSAGE_ID.fullmatch(stable):
            raise _refused("its message id has characters no message id has")
        return f"<{stable}>" if "@" in stable else f"<{stable}@{self.sender.domain}>"

    def compose(self, mail: Mail, recipient: Recipient, *, now: float) -> bytes:
        message = EmailMessage(policy=_UNICODE if recipient.needs_utf8 else _ASCII)
        try:
            message["From"] = self._from
            message["To"] = Address("", recipient.local, recipient.domain)
            message["Subject"] = mail.subject
            message["Date"] = datetime.fromtimestamp(now, UTC)
            message["Message-ID"] = self.message_id(mail)
            # RFC 3834: no out-of-office notes in return.
            message["Auto-Submitted"] = "auto-generated"
            message.set_content(mail.text)
            if mail.html is not None:
                message.add_alternative(mail.html, subtype="html")
            return message.as_bytes()
        except (ValueError, MessageError):
            # The standard library refuses line breaks in headers, and text that is no Unicode.
            raise _refused("its headers or text cannot be written as a mail") from None


def _one_address(sender: str) -> Address:
    message = EmailMessage(policy=_ASCII)
    impossible = ValueError(f"mail.sender is one address such as Name <no-reply@example.org>, not {sender!r}")
    try:
        message["From"] = sender
        (address,) = message["From"].addresses
        parsed = Recipient.parse(address.addr_spec)
    except (ValueError, MessageError, Unprocessable):
        raise impossible from None
    if parsed.needs_utf8 or message["From"].defects:
        raise impossible
    return Address(address.display_name, parsed.local, parsed.domain)


def _refused(why: str) -> Unprocessable:
    return Unprocessable(f"The mail cannot be sent: {why}.", code="mail_refused")
