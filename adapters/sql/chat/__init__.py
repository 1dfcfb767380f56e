"""What chat/ keeps in the relational store: one module a port. Conversations and their members share their tables."""
