-- Part of every script that calls `admit`. Not a script itself: it has no KEYS[1]. Returns true if the job may be
-- claimed: it holds its places then, once `save_places` was called, and its rates have counted it. Else it waits
-- elsewhere.
--
-- A job whose limit is full goes to the blocked jobs of that limit, a job over a rate to `schedule`. If it cannot be
-- written there, it is claimed: it has left its queue. `K` and `R` are the keys of limits and of rates.
local function hold_back(K, key, score, member, now, names)
  if has_failed(redis.pcall('ZADD', key, score, member)) then return true end
  for _, limit in ipairs(names) do hand_over(K, limit.name, now) end
  return false
end

local function note_places(K, rules, place, now)
  K.since = K.since or string.format('|%.0f', now)
  local rest, taken, holders = '\n' .. rules.jid .. '|' .. place .. K.since, K.taken, nil
  for _, limit in ipairs(rules.limits) do
    local holder, seen = limit.name .. rest, K.seen[limit.name]
    holders = holders and holders .. '\0' .. holder or holder
    taken[#taken + 1] = 0
    taken[#taken + 1] = holder
    if seen then seen.count = seen.count + 1 end
  end
  K.at[#K.at + 1] = place
  K.at[#K.at + 1] = holders
end

local function admit(K, R, rules, queue, payload, place, now)
  local had = leave_queue(K, rules) -- it was blocked, and has its places
  if not had then
    for _, limit in ipairs(rules.limits) do
      if limit_is_full(K, limit) then
        local turn = tonumber(redis.pcall('INCR', K.turn)) or 0
        local member = limit.name .. string.format('\n%016.0f\n', turn) .. queue .. '\n' .. payload
        return hold_back(K, K.blocked, 0, member, now, {})
      end
    end
  end
  if #rules.rates > 0 then
    local slot = rate_slot(R, rules, place, now)
    if slot then
      return hold_back(K, R.schedule, string.format('%.6f', slot / 1000), payload, now, had and rules.limits or {})
    end
  end
  if #rules.limits > 0 then note_places(K, rules, place, now) end
  return true
end

