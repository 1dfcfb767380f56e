"""Mail through the job queue: written with what it is about, delivered later, retried, never lost or sent in vain."""

from __future__ import annotations

import msgspec

from kernel.errors import Unprocessable
from kernel.jobrules import PermanentFailure
from kernel.jobs import Job, JobQueue, NewJob
from kernel.mail import Mail, Mailer
from kernel.units import Transaction

MAIL_JOB = "mail"


class MailQueue:
    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs

    async def post(self, mail: Mail, *, within: Transaction | None = None) -> None:
        """Send once the transaction is committed; the same message id is posted once."""
        job = NewJob(MAIL_JOB, msgspec.msgpack.encode(mail), key=mail.message_id)
        await self._jobs.enqueue([job], within=within)


class MailDelivery:
    """The handler of the jobs that MailQueue writes."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    async def deliver(self, job: Job) -> None:
        mail = msgspec.msgpack.decode(job.payload, type=Mail)
        try:
            await self._mailer.send(mail)
        except Unprocessable as error:
            raise PermanentFailure(error.detail) from error
