"""What identity/ keeps in the relational store: one module a port, its tables beside it."""
