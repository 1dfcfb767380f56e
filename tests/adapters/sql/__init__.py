"""The relational adapter."""
