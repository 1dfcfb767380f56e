"""The engine in Python: readable, complete, for small calls and for machines where nothing could be compiled."""
