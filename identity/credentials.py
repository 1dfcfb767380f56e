"""Changing what one signs in with: the password, the e-mail address, and a new password for who forgot theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from uuid import UUID

from identity import names
from identity.accounts import Account, AccountStore, State
from identity.lockout import Lockout
from identity.mails import AccountMails
from identity.onetime import OneTimeLinks, Purpose
from identity.passwords import PasswordHasher, require_acceptable
from identity.proof import PasswordProof
from identity.second_factor import SecondFactor
from identity.sessions import Sessions
from kernel.clock import Clock
from kernel.errors import Conflict, Forbidden, Unprocessable
from kernel.jobs import Job, JobQueue, NewJob
from kernel.units import Transaction, UnitsOfWork

FORGOTTEN_PASSWORD_JOB: Final = "forgotten_password"  # noqa: S105 - a kind of job


class Credentials:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        accounts: AccountStore,
        hasher: PasswordHasher,
        proof: PasswordProof,
        second: SecondFactor,
        lockout: Lockout,
        links: OneTimeLinks,
        mails: AccountMails,
        sessions: Sessions,
        jobs: JobQueue,
        clock: Clock,
    ) -> None:
        self._units = units
        self._accounts = accounts
        self._hasher = hasher
        self._proof = proof
        self._second = second
        self._lockout = lockout
        self._links = links
        self._mails = mails
        self._sessions = sessions
        self._jobs = jobs
        self._clock = clock

    async def change_password(
        self, account: UUID, *, session: UUID | None, current: str, new: str, address: str
    ) -> None:
        """Every session but ``session`` ends. Raises Forbidden ``wrong_password``, RateLimited ``locked_out``,
        Unprocessable ``weak_password``."""
        proved = await self._proof.require(account, current, address=address)
        require_acceptable(new, beside=_beside(proved))
        hashed = await self._hasher.hash(new)

        async def work(unit: Transaction) -> None:
            found = await self._accounts.get(unit, account)
            if found is None or found.password_hash != proved.password_hash:
                raise Forbidden("The password was changed meanwhile.", code="wrong_password")
            await self._replace_password(unit, found, hashed)

        await self._sessions.ending_all(account, work, but=session)

    async def request_email(self, account: UUID, *, email: str, password: str, address: str) -> None:
        """A link goes to the new address, a notice to the old. Raises Unprocessable ``invalid_email`` or
        ``email_unchanged``, Conflict ``email_taken``, and as ``change_password`` does."""
        wanted = names.email(email)
        proved = await self._proof.require(account, password, address=address)
        if wanted == proved.email:
            raise Unprocessable("This is the address that the account has.", code="email_unchanged")

        async def work(unit: Transaction) -> None:
            if await self._accounts.by_email(unit, wanted) is not None:
                raise Conflict("There is an account with this e-mail address.", code="email_taken")
            secret = await self._links.make(unit, Purpose.CHANGE_EMAIL, account, wanted)
            await self._mails.change(unit, proved, wanted, secret)
            what = "Somebody signed in as you asked to use another e-mail address for your account."
            await self._mails.notice(unit, proved, what)

        await self._units.write(work)

    async def change_email(self, secret: str) -> None:
        """With the secret that was mailed to the new address. Raises Unprocessable ``invalid_link``, Conflict
        ``email_taken``."""

        async def work(unit: Transaction) -> None:
            link = await self._links.take(unit, Purpose.CHANGE_EMAIL, secret)
            found = await self._linked(unit, link.account)
            await self._accounts.put(unit, replace(found, email=link.about, email_verified_at=self._clock.now()))
            # What was mailed to the old address.
            await self._links.end(unit, found.id, Purpose.VERIFY_EMAIL, Purpose.RESET_PASSWORD)
            what = "Your account now has another e-mail address; this one is no longer used for it."
            await self._mails.notice(unit, found, what)

        await self._units.write(work)

    async def forgot(self, email: str) -> None:
        """The same work for every address, whether it has an account or not: what differs is done by a job."""
        try:
            address = names.email(email)
        except Unprocessable:
            return  # not even an address; whoever typed it can see that
        await self._jobs.enqueue([NewJob(FORGOTTEN_PASSWORD_JOB, address.encode())])

    async def answer_forgotten(self, job: Job) -> None:
        """The handler of the jobs that ``forgot`` writes."""

        async def work(unit: Transaction) -> None:
            found = await self._accounts.by_email(unit, job.payload.decode())
            if found is not None and found.state is State.ACTIVE:
                secret = await self._links.make(unit, Purpose.RESET_PASSWORD, found.id)
                await self._mails.reset(unit, found, secret)

        await self._units.write(work)

    async def reset_password(self, secret: str, password: str) -> None:
        """Every session ends, and so does a lock of the account. A second factor stays, unless nobody had confirmed the
        address: then somebody else may have made the account and set it up. Raises Unprocessable ``invalid_link`` or
        ``weak_password``."""

        async def look(unit: Transaction) -> Account:
            link = await self._links.look(unit, Purpose.RESET_PASSWORD, secret)
            return await self._linked(unit, link.account)

        owner = await self._units.read(look)
        require_acceptable(password, beside=_beside(owner))
        hashed = await self._hasher.hash(password)

        async def work(unit: Transaction) -> None:
            link = await self._links.take(unit, Purpose.RESET_PASSWORD, secret)
            found = await self._linked(unit, link.account)
            if found.email_verified_at is None:
                await self._second.reset(unit, found.id)
            # The mail was read, so the address is theirs.
            found = replace(found, email_verified_at=found.email_verified_at or self._clock.now())
            await self._replace_password(unit, found, hashed)

        await self._sessions.ending_all(owner.id, work)
        await self._lockout.clear(owner.email)

    async def _replace_password(self, unit: Transaction, account: Account, hashed: str) -> None:
        changed = replace(account, password_hash=hashed, password_changed_at=self._clock.now())
        await self._accounts.put(unit, changed)
        # Whoever else had the password may have asked for these.
        await self._links.end(unit, account.id, Purpose.CHANGE_EMAIL, Purpose.RESET_PASSWORD)
        await self._mails.notice(unit, account, "Your password was changed.")

    async def _linked(self, unit: Transaction, account: UUID) -> Account:
        found = await self._accounts.get(unit, account)
        if found is None or found.state is State.ERASING:
            raise Unprocessable("The account of this link is gone.", code="invalid_link")
        return found


def _beside(account: Account) -> tuple[str, ...]:
    return account.username, account.email.partition("@")[0]
