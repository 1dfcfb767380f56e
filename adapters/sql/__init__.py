"""The relational store: one set of statements for SQLite, PostgreSQL and CockroachDB."""
