-- Whether a job that is claimed had its places already, since it was blocked. It leaves them: it gets others.
local function leave_queue(K, rules, payload)
  if K.has_reserved == nil then look_at(K) end
  local jid = K.has_reserved and jid_of(payload)
  if not jid or redis.pcall('ZREM', K.reserved, jid) ~= 1 then return false end
  for _, limit in ipairs(rules.limits) do
    local seen, holder = places_of(K, limit.name), limit.name .. '\n' .. jid .. '|queue|'
    local removed = redis.pcall('ZREMRANGEBYLEX', K.holders, '[' .. holder, '(' .. string.sub(holder, 1, -2) .. '}')
    if type(removed) == 'number' then seen.count = seen.count - removed end
  end
  return true
end
