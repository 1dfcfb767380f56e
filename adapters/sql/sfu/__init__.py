"""The tables of sfu/."""
