"""The message log on Cassandra (docs/message-log.md).

Only ``driver`` imports the driver, and is itself imported when a cluster is opened: who runs without Cassandra
never pays for it.
"""
