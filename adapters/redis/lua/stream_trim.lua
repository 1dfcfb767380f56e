-- KEYS: log, positions by idempotency key. ARGV: last position to forget, the one after it.
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
return redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[2] .. '-0')
