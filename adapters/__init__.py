"""What implements the rooms' ports: a folder per store, and the guard that every call to one goes through."""
