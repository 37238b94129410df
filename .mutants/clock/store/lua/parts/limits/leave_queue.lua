-- Part of every script that calls `leave_queue`. Not a script itself: it has no KEYS[1]. Returns true or false.
--
-- Whether a job that is claimed had its places already, since it was blocked. It leaves them: it gets others.
local function leave_queue(K, rules)
  if K.has_reserved == nil then K.has_reserved = redis.pcall('EXISTS', K.reserved) == 1 end
  if not K.has_reserved or redis.pcall('ZREM', K.reserved, rules.jid) ~= 1 then return false end
  for _, limit in ipairs(rules.limits) do
    local holder = limit.name .. '\n' .. rules.jid .. '|queue|'
    redis.pcall('ZREMRANGEBYLEX', K.holders, '[' .. holder, '(' .. string.sub(holder, 1, -2) .. '}')
    K.seen[limit.name] = nil
  end
  return true
end

