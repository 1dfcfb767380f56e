"""Which tables of sfu/ name people."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.sql.datarights import RowsAbout
from adapters.sql.sfu.rooms import ROOMS
from kernel.datarights import PersonalData


def personal() -> Sequence[PersonalData]:
    return [
        RowsAbout(
            name="rooms",
            table=ROOMS,
            people=["owner"],
            says="Rooms that you made.",
            shown=[
                *("id", "name", "mode", "max_participants", "empty_timeout", "waiting_room", "metadata"),
                "created_at",
            ],
            others=["id"],
        )
    ]
