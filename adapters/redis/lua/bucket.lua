-- Token bucket arithmetic; the embedded adapter does the same sums in Python, and a property test holds the two
-- together. One number is the whole state: when the bucket will be full again, in seconds.
local TOLERANCE = 0.001

local function take(full_at, now, capacity, per_second, cost)
  local debt = math.min(math.max(full_at - now, 0), capacity / per_second)
  local tokens = capacity - debt * per_second
  if tokens + TOLERANCE < cost then
    return now + debt, 0, math.floor(tokens + TOLERANCE), (cost - tokens) / per_second, debt
  end
  debt = debt + cost / per_second
  return now + debt, 1, math.floor(math.max(tokens - cost, 0) + TOLERANCE), 0, debt
end
