"""Typed settings: a section per concern, read from TOML, the environment and secret files. Imports nothing of ours."""
