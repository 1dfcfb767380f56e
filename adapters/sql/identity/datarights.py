"""Which tables of identity/ name people, in the order in which an erasure goes through them.

Order matters where rows lead to other things: sessions to words in the short-lived state, an account to its mails and
its avatar. Those things come first (api/datarights.py), and the account's row is the last of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from adapters.sql.datarights import RowsAbout, RowsRenamed
from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.identity.audit import AUDIT
from adapters.sql.identity.blocks import BLOCKS
from adapters.sql.identity.datarights_stores import ERASURES, EXPORTS
from adapters.sql.identity.friends import FRIENDSHIPS
from adapters.sql.identity.plans import SUBSCRIPTIONS
from adapters.sql.identity.prekeys import CHANGES, DEVICES, ONE_TIME_KEYS, RETIRED
from adapters.sql.identity.second_factor import FACTORS, RECOVERY_CODES
from adapters.sql.identity.sessions import LINKS, SESSIONS
from adapters.sql.identity.words import SEARCH_WORDS
from kernel.datarights import PersonalData

IMPERSONAL: Final[Mapping[str, str]] = {
    "api_keys": "They belong to programs; the audit log says who made them.",
    "job_schedules": "What is to be done every so often, about nobody.",
    "schema_leases": "Who is changing the schema: a process.",
    "jobs": "Jobs name what they work on by its own id. Those that carry an address or a person's id are erased "
    "by reading them.",
    "streams": "Names of histories, none of which is about a person.",
    "stream_records": "What stands in those histories, about nobody either.",
}

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
    return [
        RowsAbout(
            name="sessions",
            table=SESSIONS,
            people=["account"],
            shown=["id", "client", "created_at", "used_at", "expires_at"],
            others=["id"],
        ),
        RowsAbout(name="links", table=LINKS, people=["account"], shown=["purpose", "about", "expires_at"]),
        # The secret itself is for the authenticator alone.
        RowsAbout(name="second_factor", table=FACTORS, people=["account"], shown=["created_at", "confirmed_at"]),
        RowsAbout(name="recovery_codes", table=RECOVERY_CODES, people=["account"]),
        RowsAbout(
            name="friendships",
            table=FRIENDSHIPS,
            people=["low", "high"],
            shown=["low", "high", "asker", "accepted", "since"],
            # One of the two; it has no index.
            others=["asker"],
        ),
        # Who has blocked somebody is not theirs to know.
        RowsAbout(
            name="blocks",
            table=BLOCKS,
            people=["blocker", "blocked"],
            own=["blocker"],
            shown=["blocked", "created_at"],
        ),
        RowsAbout(name="search_words", table=SEARCH_WORDS, people=["account"], shown=["word"]),
        RowsAbout(
            name="devices",
            table=DEVICES,
            people=["account"],
            shown=["device_id", "identity_key", "signed_key_id", "signed_key", "signature", "created_at", "rotated_at"],
        ),
        RowsAbout(
            name="one_time_keys",
            table=ONE_TIME_KEYS,
            people=["account"],
            shown=["device_id", "key_id", "public_key", "handed_at"],
        ),
        RowsAbout(
            name="retired_keys",
            table=RETIRED,
            people=["account"],
            shown=["device_id", "key_id", "public_key", "retired_at"],
        ),
        RowsAbout(
            name="key_changes",
            table=CHANGES,
            people=["account"],
            shown=["id", "device_id", "kind", "fingerprint"],
            others=["id"],
        ),
        RowsAbout(
            name="subscription",
            table=SUBSCRIPTIONS,
            people=["account"],
            shown=["plan", "starts_at", "ends_at", "limits"],
        ),
        RowsAbout(
            name="exports", table=EXPORTS, people=["person"], shown=["id", "state", "requested_at"], others=["id"]
        ),
        # Entries stay: what was done to others must not vanish with who did it.
        RowsRenamed(
            name="audit_log",
            table=AUDIT,
            people=["actor", "subject"],
            pseudonym=pseudonym,
            shown=["id", "actor", "action", "subject"],
            others=["id"],
        ),
        # The report of the erasure that goes on forgets the person when it ends.
        RowsRenamed(name="erasures", table=ERASURES, people=["asked_by"], pseudonym=pseudonym, others=["id", "person"]),
    ]


def the_account() -> PersonalData:
    return RowsAbout(name="account", table=ACCOUNTS, people=["id"], shown=_ACCOUNT)
