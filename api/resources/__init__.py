"""A module per REST resource: its wire types, its handlers, its declaration."""
