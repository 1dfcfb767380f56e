-- KEYS: lock, its last fence. ARGV: holder, TTL in milliseconds, memory of the fence in milliseconds.
-- The fence is the larger of "one more than the last" and the microseconds of the server's clock: should the
-- server lose its data, fences still go on above those that other stores have seen.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return false
end
local time = redis.call('TIME')
local fence = math.max((redis.call('GET', KEYS[2]) or 0) + 1, time[1] * 1000000 + time[2])
fence = string.format('%.0f', fence)
redis.call('SET', KEYS[2], fence, 'PX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. fence, 'PX', ARGV[2])
return fence
