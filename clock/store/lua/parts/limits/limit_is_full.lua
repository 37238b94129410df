-- Part of every script that calls `limit_is_full`. Not a script itself: it has no KEYS[1]. Returns true or false.
--
-- Whether a limit has no free place. A key of a wrong type limits nothing: no job may be lost or stuck because of it.
local function limit_is_full(K, limit)
  local most = tonumber(redis.pcall('HGET', K.limits, limit.name)) or limit.max
  local count = redis.pcall('ZLEXCOUNT', K.holders, '[' .. limit.name .. '\n', '(' .. limit.name .. '\v')
  return type(count) == 'number' and count >= most
end

