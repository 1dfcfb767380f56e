"""What every room keeps about people, put together; and export and erasure over all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.outbound.datarights import OutboxMails
from adapters.sql.chat import datarights as chat_tables
from adapters.sql.chat.datarights import SqlPlaces
from adapters.sql.identity import datarights as tables
from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.admin import SqlAdmin
from adapters.sql.identity.datarights_stores import SqlErasures, SqlExports
from adapters.sql.identity.datarights_texts import Addresses, AuditDetails, WaitingJobs
from adapters.sql.scrubbing import Scrubber
from adapters.sql.sfu import datarights as room_tables
from adapters.sql.sqlite import FILE_NAME
from api.calls import Calls
from api.chat import Chats
from api.people import People
from api.platform import Platform
from chat import datarights as chat_data
from chat.datarights import Leaving
from config.secrets import derive_key
from identity import datarights as identity_data
from identity.datarights import Archives, Locks, Memory, Pictures, SignedIn
from identity.erasure import ERASE_JOB, RESUME_EVERY_SECONDS, RESUME_JOB, Erasing, ErasureJob, Pseudonyms
from identity.exports import EXPORT_JOB, FORGET_JOB, Exports
from kernel.datarights import DataMap, Part
from kernel.jobrunner import Handler
from kernel.jobs import Job, Schedules
from sfu.erasing import EndingRooms

PSEUDONYMS = "pseudonyms of erased people"

CHANNELS: Final[Mapping[str, str]] = {
    "jobs": "Says that there are jobs, not which.",
    "cache": "Keys of rows that changed; they are forgotten on hearing it.",
    "stream:": "Positions of histories, none of which is about a person.",
}
SHORT_LIVED: Final[Mapping[str, str]] = {
    "rate:": "Buckets by person, address or hash of an account; each is gone when it is full again, within minutes.",
    "idempotency:": "By a hash of caller, credentials and key: the first answer to a request, for a day. It may name "
    "people, and is encrypted under those credentials, which are not kept: only who sends them again can read it.",
}


@dataclass(frozen=True, slots=True)
class DataRights:
    data: DataMap
    exports: Exports
    erasing: Erasing
    erasures: ErasureJob

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            EXPORT_JOB: self._export,
            FORGET_JOB: self.exports.forget,
            ERASE_JOB: self.erasures.run,
            RESUME_JOB: self.erasures.resume,
        }

    async def schedule(self, schedules: Schedules) -> None:
        await schedules.ensure(RESUME_JOB, kind=RESUME_JOB, payload=b"", every=RESUME_EVERY_SECONDS)

    async def _export(self, job: Job) -> None:
        await self.exports.make(self.data, job)


def data_rights(platform: Platform, people: People, chats: Chats, calls: Calls) -> DataRights:
    units, jobs, ids, clock = platform.database.units, platform.jobs.queue, platform.ids, platform.clock
    pseudonyms = Pseudonyms(derive_key(platform.secret, PSEUDONYMS))
    data = data_map(platform, people, chats, calls, pseudonyms)
    erasures = SqlErasures()
    return DataRights(
        data=data,
        exports=Exports(
            units=units,
            accounts=SqlAccounts(),
            store=SqlExports(),
            objects=platform.objects.objects,
            uploads=platform.objects.multipart,
            signer=platform.objects.signer,
            jobs=jobs,
            ids=ids,
            clock=clock,
        ),
        erasing=Erasing(
            units=units,
            accounts=SqlAccounts(),
            admins=SqlAdmin(),
            proof=people.proof,
            second=people.second_factor,
            sessions=people.sessions,
            audit=people.audit,
            store=erasures,
            pseudonyms=pseudonyms,
            jobs=jobs,
            ids=ids,
            clock=clock,
        ),
        erasures=ErasureJob(units=units, store=erasures, data=data, scrub=_scrubbing(platform), jobs=jobs, clock=clock),
    )


def _scrubbing(platform: Platform) -> Callable[[], Awaitable[None]]:
    if platform.database.backend == "sqlite":
        file = Path(platform.settings.server.data_dir) / FILE_NAME
        return Scrubber(file, platform.clock).scrub
    return _by_itself


async def _by_itself() -> None:
    """A database server overwrites what was deleted in its own time (docs/data-rights.md)."""


def data_map(platform: Platform, people: People, chats: Chats, calls: Calls, pseudonyms: Pseudonyms) -> DataMap:
    units = platform.database.units
    return DataMap(
        parts=[
            Leaving(units=units, places=SqlPlaces(), conversations=chats.conversations, members=chats.members),
            *chat_tables.personal(),
            EndingRooms(calls.rooms, calls.lobby.end),
            *room_tables.personal(),
            *_things(platform, people, pseudonyms),
            *tables.before_the_account(pseudonyms.of),
            tables.the_account(),
        ],
        impersonal_tables={**tables.IMPERSONAL, **chat_tables.IMPERSONAL},
        channels={**identity_data.CHANNELS, **CHANNELS},
        short_lived={**identity_data.SHORT_LIVED, **chat_data.SHORT_LIVED, **SHORT_LIVED},
        objects={**identity_data.OBJECTS, **chat_data.OBJECTS},
        jobs={**identity_data.JOBS, **chat_data.JOBS},
    )


def _things(platform: Platform, people: People, pseudonyms: Pseudonyms) -> Sequence[Part]:
    """What is found by rows that are erased after it. Mails come before the directory that they are delivered to."""
    units, objects = platform.database.units, platform.objects.objects
    addresses = Addresses(units)
    outbox = Path(platform.settings.server.data_dir) / "outbox"
    return [
        SignedIn(people.sessions),
        Memory(people.tokens.forget, people.plans.forget),
        Locks(units, SqlAccounts(), people.lockout),
        WaitingJobs(units, addresses),
        Pictures(units, SqlAccounts(), objects),
        Archives(units, SqlExports(), objects),
        AuditDetails(units, pseudonyms.of, platform.clock),
        OutboxMails(outbox, addresses.of),
    ]
