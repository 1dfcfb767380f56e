-- KEYS: sorted set of members by the microsecond they end at. ARGV: member, TTL in microseconds.
-- Adding comes before clearing away: once a script has written, Redis no longer refuses it for want of memory.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', math.ceil(last / 1000) + 1))
if ends and tonumber(ends) > now then
  return 0
end
return 1
