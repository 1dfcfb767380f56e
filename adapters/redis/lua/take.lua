-- KEYS: bucket. ARGV: capacity, tokens per second, cost.
-- A refusal is written as well: after the clock was set back it brings a date that is too far away down again.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local full_at = tonumber(redis.call('GET', KEYS[1]) or now)
local allowed, remaining, retry_after, debt
full_at, allowed, remaining, retry_after, debt =
  take(full_at, now, tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))
redis.call('SET', KEYS[1], string.format('%.17g', full_at), 'PX', math.max(1, math.ceil(debt * 1000)))
return {allowed, remaining, string.format('%.17g', retry_after), string.format('%.17g', debt)}
