"""What leaves this process towards people. ``open_mailer`` chooses how mail does."""

from __future__ import annotations

from adapters.outbound.mail import OutgoingMail, open_mailer

__all__ = ["OutgoingMail", "open_mailer"]
