-- Returns true if the job may be claimed: it holds its places then, once `save_places` was called, and its rates have
-- counted it, once `save_rates` was. Else it waits elsewhere.
--
-- A job whose limit is full goes to the blocked jobs of that limit, a job over a rate to `schedule`. If it cannot be
-- written there, or an error ends the look at its rules, it is claimed and takes its places all the same: it has left
-- its queue, and its end frees them. `K` and `R` are the keys of limits and of rates, `number` is that of the job if it
-- is claimed.
local function is_moved(K, key, score, member, now, names)
  if has_failed(redis.pcall('ZADD', key, score, member)) then return false end
  K.has_blocked = K.has_blocked or key == K.blocked
  for _, limit in ipairs(names) do hand_over(K, limit.name, now) end
  return true
end

local function is_held_back(K, R, rules, queue, payload, number, now)
  local had = K.has_reserved ~= false and leave_queue(K, rules, payload) -- it was blocked, and has its places
  local limits = rules.limits
  for i = 1, had and 0 or #limits do
    if limit_is_full(K, limits[i]) then
      local turn = tonumber(redis.pcall('INCR', K.turn)) or 0
      local member = limits[i].name .. string.format('\n%016.0f\n', turn) .. queue .. '\n' .. payload
      return is_moved(K, K.blocked, 0, member, now, {})
    end
  end
  local slot = rules.rates[1] and rate_slot(R, rules, payload, number, now)
  if not slot then return false end
  return is_moved(K, R.schedule, string.format('%.6f', slot / 1000), payload, now, had and limits or {})
end

local function admit(K, R, rules, queue, payload, number, now)
  local is_well, waits = pcall(is_held_back, K, R, rules, queue, payload, number, now)
  if is_well and waits then return false end
  for _, limit in ipairs(rules.limits) do
    local seen = places_of(K, limit.name)
    seen.own, seen.count = seen.own + 1, seen.count + 1
  end
  return true
end
