-- Part of every script that calls `limit_is_full`. Not a script itself: it has no KEYS[1]. Returns true or false.
--
-- Whether a limit has no free place. A key of a wrong type limits nothing: no job may be lost or stuck because of it.
local function limit_is_full(K, limit)
  local seen = K.seen[limit.name]
  if not seen then
    save_places(K)
    local count = redis.pcall('ZLEXCOUNT', K.holders, '[' .. limit.name .. '\n', '(' .. limit.name .. '\v')
    seen = { count = type(count) == 'number' and count or 0, max = tonumber(redis.pcall('HGET', K.limits, limit.name)) }
    K.seen[limit.name] = seen
  end
  return seen.count >= (seen.max or limit.max)
end

