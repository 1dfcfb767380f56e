"""Proposals of a mode, and who answered what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    PrimaryKeyConstraint,
    Row,
    Select,
    Table,
    UniqueConstraint,
    func,
    select,
    update,
)

from adapters.sql.errors import Contention
from adapters.sql.metadata import Id, Moment, Text, metadata, upsert
from adapters.sql.units import sql_of
from chat.mode import Answer, Mode, Question, Round, RoundState, Tally
from kernel.units import Transaction

ROUNDS = Table(
    "mode_proposals",
    metadata,
    Column("id", Id, primary_key=True),
    Column("conversation", Id, nullable=False),
    Column("mode", Text, nullable=False),
    Column("proposed_by", Id),
    Column("proposed_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("ended_at", Moment),
    # The conversation while this one is open, so that there is one open one at most.
    Column("open_in", Id),
    UniqueConstraint("open_in"),
    Index(None, "conversation", "id"),
    Index(None, "proposed_by"),
    Index(None, "state", "expires_at"),
)
ANSWERS = Table(
    "mode_answers",
    metadata,
    Column("proposal", Id, nullable=False),
    Column("person", Id, nullable=False),
    Column("consents", Boolean, nullable=False),
    Column("answered_at", Moment, nullable=False),
    PrimaryKeyConstraint("proposal", "person"),
    Index(None, "person"),
)

_r, _a = ROUNDS.c, ANSWERS.c


class SqlRounds:
    """chat.ports.RoundStore and chat.ports.RoundLists."""

    async def add(self, unit: Transaction, asked: Round) -> None:
        values = {
            "id": asked.id,
            "conversation": asked.conversation,
            "mode": asked.mode.value,
            "proposed_by": asked.proposed_by,
            "proposed_at": asked.proposed_at,
            "expires_at": asked.expires_at,
        }
        added = upsert(ROUNDS).values(values | _standing(asked)).on_conflict_do_nothing()
        if (await sql_of(unit).connection.execute(added)).rowcount != 1:
            raise Contention("somebody else has just proposed a mode there")
        await _write_answers(unit, asked, asked.answers)

    async def put(self, unit: Transaction, asked: Round, *, before: Round) -> None:
        if asked != before:
            standing = update(ROUNDS).where(_r.id == asked.id).values(_standing(asked))
            await sql_of(unit).connection.execute(standing)
        new = {person: answer for person, answer in asked.answers.items() if before.answers.get(person) != answer}
        await _write_answers(unit, asked, new)

    async def open_in(self, unit: Transaction, conversation: UUID) -> Round | None:
        return await _first(unit, select(ROUNDS).where(_r.open_in == conversation))

    async def get(self, unit: Transaction, conversation: UUID, identifier: UUID) -> Round | None:
        return await _first(unit, select(ROUNDS).where(_r.conversation == conversation, _r.id == identifier))

    async def count(self, unit: Transaction, conversation: UUID, *, since: UUID) -> int:
        begun = select(func.count()).select_from(ROUNDS).where(_r.conversation == conversation, _r.id >= since)
        return (await sql_of(unit).connection.execute(begun)).scalar_one()

    async def page(
        self, unit: Transaction, conversation: UUID, *, before: UUID | None, most: int
    ) -> Sequence[tuple[Question, Tally]]:
        connection = sql_of(unit).connection
        latest = select(ROUNDS).where(_r.conversation == conversation).order_by(_r.id.desc()).limit(most)
        if before is not None:
            latest = latest.where(_r.id < before)
        found = [_question(row) for row in await connection.execute(latest)]
        said = select(_a.proposal, _a.consents, func.count().label("many")).group_by(_a.proposal, _a.consents)
        counted = await connection.execute(said.where(_a.proposal.in_([asked.id for asked in found])))
        many = {(row.proposal, row.consents): row.many for row in counted}
        return [(asked, Tally(many.get((asked.id, True), 0), many.get((asked.id, False), 0))) for asked in found]

    async def overdue(self, unit: Transaction, *, now: float, most: int) -> Sequence[Question]:
        late = select(ROUNDS).where(_r.state == RoundState.OPEN.value, _r.expires_at <= now)
        rows = await sql_of(unit).connection.execute(late.order_by(_r.expires_at).limit(most))
        return [_question(row) for row in rows]


def _standing(asked: Round) -> dict[str, object]:
    is_open = asked.state is RoundState.OPEN
    return {
        "state": asked.state.value,
        "ended_at": asked.ended_at,
        "open_in": asked.conversation if is_open else None,
    }


async def _write_answers(unit: Transaction, asked: Round, answers: Mapping[UUID, Answer]) -> None:
    if not answers:
        return
    statement = upsert(ANSWERS).values(
        [
            {"proposal": asked.id, "person": person, "consents": answer.consents, "answered_at": answer.at}
            for person, answer in answers.items()
        ]
    )
    given = statement.excluded
    changed = {"consents": given.consents, "answered_at": given.answered_at}
    await sql_of(unit).connection.execute(
        statement.on_conflict_do_update(index_elements=[_a.proposal, _a.person], set_=changed)
    )


async def _first(unit: Transaction, statement: Select[Any]) -> Round | None:
    connection = sql_of(unit).connection
    found = (await connection.execute(statement)).first()
    if found is None:
        return None
    given = select(ANSWERS).where(_a.proposal == found.id).order_by(_a.answered_at, _a.person)
    answers = {row.person: Answer(row.consents, row.answered_at) for row in await connection.execute(given)}
    return Round(**_fields(found), answers=answers)


def _question(row: Row[Any]) -> Question:
    return Question(**_fields(row))


def _fields(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "conversation": row.conversation,
        "mode": Mode(row.mode),
        "proposed_by": row.proposed_by,
        "proposed_at": row.proposed_at,
        "expires_at": row.expires_at,
        "state": RoundState(row.state),
        "ended_at": row.ended_at,
    }
