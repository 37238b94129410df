-- Part of every script that calls `rate_slot`. Not a script itself: it has no KEYS[1]. Returns nil if the job starts
-- now, which its rates count; or the time in ms at which it is tried again.
--
-- A job over a rate gets its own slot, in order: behind the slots of the jobs that wait already. A job that comes
-- back for its slot starts if the rate allows it. If many come late, because no worker ran, they get new slots, one
-- after the other. With several rates, the rate that allows the latest start gives the slot.
local function rate_slot(R, rules, payload, place, now)
  if R.has_slots == nil then R.has_slots = redis.pcall('EXISTS', R.slots) == 1 end
  local jid = R.has_slots and jid_of(payload)
  local own = jid and tonumber(redis.pcall('ZSCORE', R.slots, jid))
  local slot, binding = nil, nil
  for _, rate in ipairs(rules.rates) do
    local state = rate_state(R, rate.name)
    local at, last = earliest_start(R, rate, state, now), state.late
    if not own then last = math.max(state.line, state.late) end
    if last > now and (not own or at > now) then at = math.max(at, last + rate.per * rate.weight / rate.count) end
    if own and own > now and at > now then at = math.max(earliest_start(R, rate, state, now), own) end
    if at > now and (not slot or at > slot) then slot, binding = at, state end
  end
  if slot then
    if own and own <= now then binding.late = slot else binding.line = math.max(binding.line, slot) end
    jid = jid or jid_of(payload)
    if jid then redis.pcall('ZADD', R.slots, slot, jid) end
    R.has_slots = true
    return slot
  end
  for _, rate in ipairs(rules.rates) do
    local state = rate_state(R, rate.name)
    state.full = math.max(state.full, now) + rate.per * rate.weight / rate.count
    if rate.window then
      state.counted = math.max(state.counted, now + rate.per)
      state.starts = state.starts + rate.weight
      local member, started = rate.name .. string.format('\n%020.3f\n', now) .. place .. '#', R.started
      for n = 1, rate.weight do
        started[#started + 1] = '0'
        started[#started + 1] = member .. n
      end
    end
  end
  if own then redis.pcall('ZREM', R.slots, jid) end
end

