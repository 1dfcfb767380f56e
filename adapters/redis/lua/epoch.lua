-- KEYS: epoch. ARGV: what to call it if there is none. It is gone only when the server has lost its data.
local epoch = redis.call('GET', KEYS[1])
if not epoch then
  epoch = ARGV[1]
  redis.call('SET', KEYS[1], epoch)
end
return epoch
