-- Part of every script that calls `rate_slot`. Not a script itself: it has no KEYS[1]. Returns nil if the job starts
-- now, which its rates count; or the time in ms at which it is tried again.
--
-- A job over a rate gets its own slot, in order: behind the slots of the jobs that wait already. A job that comes
-- back for its slot starts if the rate allows it. If many come late, because no worker ran, they get new slots, one
-- after the other. With several rates, the rate that allows the latest start gives the slot.
local function rate_slot(K, rules, place, now)
  local own = tonumber(redis.pcall('ZSCORE', K.slots, rules.jid))
  local states, slot, binding = {}, nil, nil
  for i, rate in ipairs(rules.rates) do
    local state, step = rate_state(K, rate.name), rate.per * rate.weight / rate.count
    local at, last = earliest_start(K, rate, state, now), state.late
    if not own then last = math.max(state.line, state.late) end
    if last > now and (not own or at > now) then at = math.max(at, last + step) end
    if own and own > now and at > now then at = math.max(earliest_start(K, rate, state, now), own) end
    if at > now and (not slot or at > slot) then slot, binding = at, state end
    states[i] = state
  end
  if slot then
    if own and own <= now then binding.late = slot else binding.line = math.max(binding.line, slot) end
    binding.save()
    redis.pcall('ZADD', K.slots, slot, rules.jid)
    return slot
  end
  for i, rate in ipairs(rules.rates) do
    states[i].full = math.max(states[i].full, now) + rate.per * rate.weight / rate.count
    if rate.window then states[i].counted = math.max(states[i].counted, now + rate.per) end
    states[i].save()
    for n = 1, rate.window and rate.weight or 0 do
      redis.pcall('ZADD', K.starts, 0, rate.name .. string.format('\n%020.3f\n', now) .. place .. '#' .. n)
    end
  end
  if own then redis.pcall('ZREM', K.slots, rules.jid) end
end

