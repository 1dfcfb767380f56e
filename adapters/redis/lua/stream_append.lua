-- KEYS: log, last position, positions by idempotency key. ARGV: payload, "k" and key or nothing, wake-up channel.
-- The record is added before the position is counted: if Redis refuses it, nothing has happened.
if ARGV[2] ~= '' then
  local first = redis.call('ZSCORE', KEYS[3], ARGV[2])
  if first then
    return tonumber(first)
  end
end
local position = (redis.call('GET', KEYS[2]) or 0) + 1
local id = string.format('%.0f', position)
local time = redis.call('TIME')
redis.call('XADD', KEYS[1], id .. '-0', 'p', ARGV[1], 't', string.format('%d.%06d', time[1], time[2]))
redis.call('SET', KEYS[2], id)
if ARGV[2] ~= '' then
  redis.call('ZADD', KEYS[3], id, ARGV[2])
end
redis.call('PUBLISH', ARGV[3], id)
return position
