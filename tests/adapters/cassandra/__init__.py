"""The message log on Cassandra."""
