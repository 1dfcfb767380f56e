"""Numbered CQL scripts, ``0001_what_it_does.cql``; they name their tables ``$keyspace.table``.

Each statement must bear being run again: there are no transactions, and what a node that died half-way has left
undone is done by the next.
"""
