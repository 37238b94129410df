-- Part of every script that calls `limit_is_full`. Not a script itself: it has no KEYS[1]. Returns true or false.
--
-- Whether a limit has no free place. A key of a wrong type limits nothing: no job may be lost or stuck because of it.
-- Each call counts the holders of a name once, and from then on itself.
local function limit_is_full(K, limit)
  local seen = K.seen[limit.name]
  if not seen then
    if K.has_maxima == nil then K.has_maxima = redis.pcall('EXISTS', K.limits) == 1 end
    local count = redis.pcall('ZLEXCOUNT', K.holders, '[' .. limit.name .. '\n', '(' .. limit.name .. '\v')
    local max = K.has_maxima and tonumber(redis.pcall('HGET', K.limits, limit.name))
    seen = { count = type(count) == 'number' and count or 0, max = max }
    K.seen[limit.name] = seen
  end
  return seen.count >= (seen.max or limit.max)
end

