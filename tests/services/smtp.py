"""The SMTP sink: keeps every mail it accepts, in four variants of the protocol, certificates by a private authority."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import smtplib
import ssl
import sys
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import trustme

from tests.services import smtp_server
from tests.services.process import HOST, Service, Session, free_port


@dataclass(frozen=True)
class ReceivedMail:
    sender: str
    recipients: list[str]
    message: EmailMessage
    encrypted: bool
    authenticated: bool


class SmtpSink(Service):
    """``port`` speaks plain SMTP, ``starttls_port`` insists on STARTTLS, ``tls_port`` is TLS from the first byte,
    ``auth_port`` insists on STARTTLS and then on ``username`` and ``password``. ``ca_file`` verifies all of them,
    for ``localhost`` and 127.0.0.1. A recipient ``refused@...`` is answered 550, ``later@...`` 451.
    """

    name = "smtp"
    username = "postman"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.starttls_port = free_port()
        self.tls_port = free_port()
        self.auth_port = free_port()
        self.password = secrets.token_urlsafe(12)
        authority = trustme.CA()
        self.ca_file = session.directory / "smtp-ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        certificate = self.directory / "certificate.pem"
        authority.issue_cert("localhost", HOST).private_key_and_cert_chain_pem.write_to_path(certificate)
        self._kept = self.directory / "kept"
        self._kept.mkdir(mode=0o700)
        self._settings = self.directory / "settings.json"
        self._settings.write_text(
            json.dumps(
                {
                    "host": HOST,
                    "user": self.user,
                    "directory": str(self._kept),
                    "certificate": str(certificate),
                    "username": self.username,
                    "password": self.password,
                    "ports": {
                        "plain": self.port,
                        "starttls": self.starttls_port,
                        "tls": self.tls_port,
                        "auth": self.auth_port,
                    },
                }
            )
        )
        if os.geteuid() == 0:
            for path in (self._kept, certificate, self._settings):
                shutil.chown(path, self.user)

    def prefix(self) -> list[str]:
        # Our interpreter may live where only root can read; it gives up root itself, once it has its imports.
        return []

    def command(self) -> list[str]:
        return [sys.executable, "-P", str(Path(smtp_server.__file__)), str(self._settings)]

    def answers(self) -> bool:
        try:
            for port in (self.port, self.starttls_port, self.auth_port):
                smtplib.SMTP(self.host, port, timeout=5).close()
            trust = ssl.create_default_context(cafile=str(self.ca_file))
            smtplib.SMTP_SSL(self.host, self.tls_port, timeout=5, context=trust).close()
        except (OSError, smtplib.SMTPException):
            return False
        return True

    @property
    def messages(self) -> list[ReceivedMail]:
        """Everything accepted since the last ``clear``, oldest first."""
        return [_received(json.loads(path.read_text())) for path in sorted(self._kept.glob("*.json"))]

    def clear(self) -> None:
        for path in self._kept.glob("*.json"):
            path.unlink()


def _received(kept: dict[str, Any]) -> ReceivedMail:
    message = message_from_bytes(kept["raw"].replace("\r\n", "\n").encode("latin-1"), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return ReceivedMail(kept["sender"], kept["recipients"], message, kept["encrypted"], kept["authenticated"])
