"""The schema all tables of this adapter belong to, and the only column types they use.

A table is declared next to the store that uses it, on this ``metadata``, from these types: each of them means
the same, and sorts the same, on every backend.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Dialect, LargeBinary, MetaData, types
from sqlalchemy.dialects.postgresql import insert as _conflict_aware_insert
from sqlalchemy.types import TypeDecorator, TypeEngine

from kernel.errors import Malformed

MICROSECONDS = 1_000_000

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def storable(text: str) -> str:
    """Refuses what one backend or another cannot keep: PostgreSQL has no U+0000, UTF-8 no lone surrogates."""
    if "\0" in text:
        raise Malformed("Text must not contain the character U+0000.", code="unstorable_text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Malformed("Text must not contain lone surrogates.", code="unstorable_text") from None
    return text


class Text(TypeDecorator[str]):
    """Unicode text, compared and sorted by its bytes."""

    impl = types.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        # A database made with a language's collation would sort unlike the other two. CockroachDB's strings are
        # in byte order by themselves, and a collated one is another type there.
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(types.Text(collation=collation))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class Moment(TypeDecorator[float]):
    """Unix seconds, as the kernel's clock tells them; kept as whole microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> int | None:
        return None if value is None else round(value * MICROSECONDS)

    def process_result_value(self, value: int | None, dialect: Dialect) -> float | None:
        return None if value is None else value / MICROSECONDS


class Id(TypeDecorator[uuid.UUID]):
    """A UUID: native, or 16 bytes in SQLite. Both compare byte by byte, so UUIDv7s sort by time."""

    impl = types.Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(LargeBinary(16))
        return dialect.type_descriptor(types.Uuid())

    def process_bind_param(self, value: uuid.UUID | None, dialect: Dialect) -> uuid.UUID | bytes | None:
        return value.bytes if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: uuid.UUID | bytes | None, dialect: Dialect) -> uuid.UUID | None:
        return uuid.UUID(bytes=value) if isinstance(value, bytes) else value


class Json(TypeDecorator[Any]):
    """A JSON document that is stored and read whole. What is searched or joined gets a column of its own."""

    impl = types.Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value)


Bytes = LargeBinary
Integer = BigInteger

# ``INSERT ... ON CONFLICT`` for all three: this construct of PostgreSQL's is rendered by SQLite's compiler too, and
# the snapshots of compiled statements hold it to that.
upsert = _conflict_aware_insert
