"""Which tables of identity/ name people, in the order in which an erasure goes through them.

Order matters where rows lead to other things: sessions to words in the short-lived state, an account to its mails and
its avatar. Those things come first (api/datarights.py), and the account's row is the last of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select

from adapters.sql.datarights import RowsAbout, RowsRenamed, Told
from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.identity.apikeys import API_KEYS
from adapters.sql.identity.audit import AUDIT
from adapters.sql.identity.blocks import BLOCKS
from adapters.sql.identity.datarights_stores import ERASURES, EXPORTS
from adapters.sql.identity.friends import FRIENDSHIPS, ties_of
from adapters.sql.identity.plans import SUBSCRIPTIONS
from adapters.sql.identity.prekeys import CHANGES, DEVICES, ONE_TIME_KEYS, RETIRED
from adapters.sql.identity.second_factor import FACTORS, RECOVERY_CODES
from adapters.sql.identity.sessions import LINKS, SESSIONS
from adapters.sql.identity.words import SEARCH_WORDS
from kernel.datarights import PersonalData

IMPERSONAL: Final[Mapping[str, str]] = {
    "job_schedules": "What is to be done every so often, about nobody.",
    "schema_leases": "Who is changing the schema: a process.",
    "jobs": "Jobs name what they work on by its own id. Those that carry an address or a person's id are erased "
    "by reading them.",
    "streams": "Names of histories, none of which is about a person.",
    "stream_records": "What stands in those histories, about nobody either.",
}

GUARDED: Final = "a secret, or what one is checked with"
INTERNAL: Final = "how it is found or kept, made from what is shown"
TOLD: Final = "shown with names, by Told"

_ACCOUNT: Final = (
    "id",
    "email",
    "username",
    "display_name",
    "created_at",
    "password_changed_at",
    "email_verified_at",
    "roles",
    "state",
    "searchable",
    "status_text",
    "visibility",
)


def before_the_account(pseudonym: Callable[[UUID], str]) -> Sequence[PersonalData]:
    return [*_signing_in(), *_acquaintances(), *_keys(), *_plans_and_archives(), *_renamed(pseudonym)]


def _signing_in() -> Sequence[PersonalData]:
    return [
        RowsAbout(
            name="sessions",
            table=SESSIONS,
            people=["account"],
            says="Where you are signed in: devices as they named themselves, since when, used when last.",
            withheld={"refresh_digest": GUARDED},
            shown=["id", "client", "created_at", "used_at", "expires_at"],
            others=["id"],
        ),
        RowsAbout(
            name="links",
            table=LINKS,
            people=["account"],
            says="Links that were mailed to you and not followed yet.",
            shown=["purpose", "about", "expires_at"],
            withheld={"digest": GUARDED},
        ),
        RowsAbout(
            name="second_factor",
            table=FACTORS,
            people=["account"],
            says="That signing in asks for a code of your authenticator.",
            shown=["created_at", "confirmed_at"],
            withheld={"secret": GUARDED, "last_step": INTERNAL},
        ),
        RowsAbout(name="recovery_codes", table=RECOVERY_CODES, people=["account"], withheld={"digest": GUARDED}),
    ]


def _acquaintances() -> Sequence[PersonalData]:
    return [
        Told(name="friends", says="Your friends, and requests that are not answered yet.", rows=_friends),
        # Who has blocked somebody is not theirs to know.
        Told(name="blocked", says="Whom you have blocked.", rows=_blocked),
        RowsAbout(
            name="friendships",
            table=FRIENDSHIPS,
            people=["low", "high"],
            withheld=dict.fromkeys(("asker", "accepted", "since"), TOLD),
            # One of the two; it has no index.
            others=["asker"],
        ),
        RowsAbout(
            name="blocks",
            table=BLOCKS,
            people=["blocker", "blocked"],
            withheld={"created_at": TOLD},
        ),
        RowsAbout(
            name="search_words",
            table=SEARCH_WORDS,
            people=["account"],
            says="The words that others find you by.",
            shown=["word"],
        ),
    ]


def _keys() -> Sequence[PersonalData]:
    return [
        RowsAbout(
            name="devices",
            table=DEVICES,
            people=["account"],
            says="The public keys of your devices, for end-to-end encryption.",
            withheld={"handed": INTERNAL, "given": INTERNAL},
            shown=["device_id", "identity_key", "signed_key_id", "signed_key", "signature", "created_at", "rotated_at"],
        ),
        RowsAbout(
            name="one_time_keys",
            table=ONE_TIME_KEYS,
            people=["account"],
            says="Public keys of your devices that are good for one conversation each.",
            shown=["device_id", "key_id", "public_key", "position"],
        ),
        RowsAbout(
            name="retired_keys",
            table=RETIRED,
            people=["account"],
            says="Public keys of your devices that were replaced.",
            shown=["device_id", "key_id", "public_key", "retired_at"],
        ),
        RowsAbout(
            name="key_changes",
            table=CHANGES,
            people=["account"],
            says="When devices of yours came, went or changed their identity.",
            shown=["id", "device_id", "kind", "fingerprint"],
            others=["id"],
        ),
    ]


def _plans_and_archives() -> Sequence[PersonalData]:
    return [
        RowsAbout(
            name="subscription",
            table=SUBSCRIPTIONS,
            people=["account"],
            says="Your plan.",
            shown=["plan", "starts_at", "ends_at", "limits"],
        ),
        RowsAbout(
            name="exports",
            table=EXPORTS,
            people=["person"],
            says="When you asked for this archive.",
            shown=["id", "state", "requested_at", "expires_at"],
            others=["id"],
        ),
    ]


def _renamed(pseudonym: Callable[[UUID], str]) -> Sequence[PersonalData]:
    return [
        # Entries stay: what was done to others must not vanish with who did it.
        RowsRenamed(
            name="audit_log",
            table=AUDIT,
            people=["actor", "subject"],
            pseudonym=pseudonym,
            says="What you did that is kept on record, and what administrators did to your account.",
            shown=["id", "actor", "action", "subject", "details"],
            others=["id"],
        ),
        # Keys belong to the installation and outlive who made them.
        RowsRenamed(
            name="api_keys",
            table=API_KEYS,
            people=["made_by"],
            pseudonym=pseudonym,
            says="API keys that you made for programs.",
            shown=["id", "name", "scopes", "rate", "created_at", "expires_at", "last_used_at"],
            withheld={"digest": GUARDED},
            others=["id"],
        ),
        # The report of the erasure that goes on forgets the person when it ends.
        RowsRenamed(
            name="erasures",
            table=ERASURES,
            people=["asked_by"],
            pseudonym=pseudonym,
            withheld=dict.fromkeys((column.name for column in ERASURES.c), "about somebody else who was erased"),
            others=["id", "person"],
        ),
    ]


def the_account() -> PersonalData:
    return RowsAbout(
        name="account",
        table=ACCOUNTS,
        people=["id"],
        says="Your account.",
        shown=_ACCOUNT,
        withheld={"password_hash": GUARDED, "skeleton": INTERNAL, "avatar": "the picture itself is in the archive"},
    )


def _friends(person: UUID) -> Select[Any]:
    tie = ties_of(person, "tie")
    named = (ACCOUNTS.c.id, ACCOUNTS.c.username, ACCOUNTS.c.display_name)
    asked = (tie.c.asker == person).label("asked_by_you")
    return select(*named, tie.c.accepted, asked, tie.c.since).join(tie, tie.c.other == ACCOUNTS.c.id)


def _blocked(person: UUID) -> Select[Any]:
    named = (ACCOUNTS.c.id, ACCOUNTS.c.username, ACCOUNTS.c.display_name)
    those = select(*named, BLOCKS.c.created_at).join(BLOCKS, BLOCKS.c.blocked == ACCOUNTS.c.id)
    return those.where(BLOCKS.c.blocker == person)
