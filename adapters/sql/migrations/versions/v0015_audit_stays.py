"""What is in the audit log stays there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from alembic import op

revision = "0015"
down_revision = "0010"
branch_labels = None
depends_on = None

# All that an erasure does: put a pseudonym where somebody was named.
_AS_IT_WAS: Final = """NEW.id = OLD.id AND NEW.action = OLD.action
    AND (NEW.actor = OLD.actor OR NEW.actor LIKE 'erased:%')
    AND (NEW.subject = OLD.subject OR NEW.subject LIKE 'erased:%')
    AND (NEW.details = OLD.details OR NEW.details LIKE '%erased:%')"""
_REFUSAL: Final = "entries of the audit log stay as they are"

# CockroachDB has triggers in its latest versions only: there the application alone keeps entries as they are.
_GUARDS: Final[Mapping[str, Sequence[str]]] = {
    "sqlite": (
        f"""CREATE TRIGGER audit_log_unchanged BEFORE UPDATE ON audit_log WHEN NOT ({_AS_IT_WAS})
            BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
        f"CREATE TRIGGER audit_log_kept BEFORE DELETE ON audit_log BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
        # REPLACE deletes without asking the trigger above.
        f"""CREATE TRIGGER audit_log_added BEFORE INSERT ON audit_log
            WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    ),
    "postgresql": (
        f"""CREATE FUNCTION audit_log_stays() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP = 'UPDATE' THEN
                    IF {_AS_IT_WAS} THEN RETURN NEW; END IF;
                END IF;
                RAISE EXCEPTION '{_REFUSAL}';
            END $$""",
        """CREATE TRIGGER audit_log_unchanged BEFORE UPDATE OR DELETE ON audit_log
            FOR EACH ROW EXECUTE FUNCTION audit_log_stays()""",
        """CREATE TRIGGER audit_log_kept BEFORE TRUNCATE ON audit_log
            FOR EACH STATEMENT EXECUTE FUNCTION audit_log_stays()""",
    ),
}


def upgrade() -> None:
    for statement in _GUARDS.get(op.get_context().dialect.name, ()):
        op.execute(statement)
