"""What several nodes share: ephemeral state, the event bus and durable streams in one Redis."""

from adapters.redis.stores import RedisStores, open_redis

__all__ = ["RedisStores", "open_redis"]
