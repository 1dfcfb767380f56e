"""The schema's history: Alembic's environment and one module a revision under ``versions``."""
