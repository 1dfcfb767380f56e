"""The shell of every request, by stage: connection, pipeline, access, limits, body, handler, reply."""
