-- Part of every script that calls `admit`. Not a script itself: it has no KEYS[1]. Returns true if the job may be
-- claimed: it holds its places then, and its rates have counted it. Else it waits elsewhere.
--
-- A job whose limit is full goes to the blocked jobs of that limit, one over a rate to `schedule`. If it cannot be
-- written there, it is claimed: it has left its queue. `K` and `R` are the keys of limits and of rates.
local function admit(K, R, rules, queue, payload, place, now)
  local had = leave_places(K, rules, 'queue') -- it was blocked, and has its places

  local function go_away(command, ...)
    if has_failed(redis.pcall(command, ...)) then return true end
    for _, limit in ipairs(had > 0 and rules.limits or {}) do hand_over(K, limit.name, now) end
    return false
  end

  for _, limit in ipairs(had < #rules.limits and rules.limits or {}) do
    if limit_is_full(K, limit) then
      local turn = tonumber(redis.pcall('INCR', K.turn)) or 0
      local member = limit.name .. string.format('\n%016.0f\n', turn) .. queue .. '\n' .. payload
      return go_away('ZADD', K.blocked, 0, member)
    end
  end
  if #rules.rates > 0 then
    local slot = rate_slot(R, rules, place, now)
    if slot then return go_away('ZADD', R.schedule, string.format('%.6f', slot / 1000), payload) end
  end
  for _, limit in ipairs(rules.limits) do
    local holder = limit.name .. '\n' .. rules.jid .. '|' .. place .. '|' .. string.format('%.0f', now)
    redis.pcall('ZADD', K.holders, 0, holder)
  end
  return true
end

