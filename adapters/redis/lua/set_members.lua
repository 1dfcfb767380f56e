-- KEYS: sets. Answers the members of each.
local time = redis.call('TIME')
local now = string.format('(%.0f', time[1] * 1000000 + time[2])
local found = {}
for place, key in ipairs(KEYS) do
  found[place] = redis.call('ZRANGEBYSCORE', key, now, '+inf')
end
return found
