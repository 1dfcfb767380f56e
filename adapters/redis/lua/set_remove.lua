-- KEYS: set. ARGV: member.
local time = redis.call('TIME')
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
if tonumber(ends) > time[1] * 1000000 + time[2] then
  return 1
end
return 0
