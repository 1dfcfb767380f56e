"""Numbered CQL scripts, ``0001_what_it_does.cql``. Each statement must bear being run again: there are no
transactions, a node that died half-way leaves the rest to the next."""
