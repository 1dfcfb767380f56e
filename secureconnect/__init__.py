"""The Python client: joins a room of a SecureConnect server, publishes, subscribes, sends and hears."""
