"""The embedded message log: one SQLite file of its own, written by one thread (docs/message-log.md)."""
