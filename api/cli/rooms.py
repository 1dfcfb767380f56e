"""``secureconnect admin create-room``: a room and links into it, for a first call without any account."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import uvloop

from adapters.sql.engine import open_database
from adapters.sql.sfu.rooms import SqlRooms
from api.cli.administration import bring_up_to_date
from api.cli.main import EXIT_FAILED, EXIT_OK
from api.people import token_keys
from api.platform import SchemaBehind
from api.serve import url_of
from config.loader import Configuration
from config.secrets import obtain_secret
from config.sections import Settings
from config.values import Secret
from identity.roomtokens import MAX_SECONDS, MIN_SECONDS, Admission, Grants, RoomTokens, Source
from kernel.clock import SystemClock
from kernel.errors import SecureConnectError
from kernel.ids import IdGenerator
from kernel.metrics import Metrics
from media.framekeys import SECRET_LENGTH, written_secret
from sfu.rooms import Mode, Plan, Rooms

MOST_LINKS: Final = 100
EVERYTHING: Final = Grants(join=True, publish=frozenset(Source), subscribe=True, data=True)


def run_create_room(configuration: Configuration, *, name: str, mode: str, people: int, ttl: int) -> int:
    """Links alone go to standard output, so that a script can hand them out."""
    settings = configuration.settings
    if people > MOST_LINKS or not MIN_SECONDS <= ttl <= MAX_SECONDS:
        limits = f"{MOST_LINKS} links at most, good for {MIN_SECONDS} to {MAX_SECONDS} s; the API makes more."
        print(limits, file=sys.stderr)
        return EXIT_FAILED
    try:
        secret = obtain_secret(settings.security, Path(settings.server.data_dir))
        links = uvloop.run(_create(settings, secret, Plan(name, Mode(mode)), people=people, ttl=ttl))
    except SecureConnectError as error:
        print(error.detail, file=sys.stderr)
        return EXIT_FAILED
    except SchemaBehind as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    print(f"A {mode} room for {people}; each link is for one person, and good for {ttl} s:", file=sys.stderr)
    print("\n".join(links))
    return EXIT_OK


async def _create(settings: Settings, secret: Secret, plan: Plan, *, people: int, ttl: int) -> list[str]:
    """What encrypts a Secure room is made here, printed and kept nowhere: who has the link has the key."""
    clock, data_dir = SystemClock(), Path(settings.server.data_dir)
    ids, base = IdGenerator(clock), _base_url(settings)
    keys = await token_keys(settings.identity, secret)
    tokens = RoomTokens(keys, base_url=base, ids=ids, clock=clock)
    async with open_database(settings.database, data_dir=data_dir, clock=clock, metrics=Metrics()) as database:
        await bring_up_to_date(database, settings)
        room = await Rooms(units=database.units, store=SqlRooms(), ids=ids, clock=clock).make(None, plan)
    admissions = [Admission(room.id, f"guest-{number}", EVERYTHING) for number in range(1, people + 1)]
    minted = [tokens.mint(admission, by="console", ttl=ttl).token for admission in admissions]
    key = f"&k={written_secret(os.urandom(SECRET_LENGTH))}" if plan.mode is Mode.SECURE else ""
    return [f"{base}/#room={room.id}&token={token}{key}" for token in minted]


def _base_url(settings: Settings) -> str:
    """Browsers take this machine's own address for safe without TLS, and let nobody else's use a camera."""
    host = settings.server.host
    near = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - a comparison
    return settings.server.public_url or url_of(near, settings.server.port)
