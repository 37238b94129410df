-- A job over a rate gets its own slot, in order: behind the slots of the jobs that wait already. A job that comes back
-- for its slot starts if the rate allows it. If many come late, because no worker ran, they get new slots, one after
-- the other. With several rates, the rate that allows the latest start gives the slot. Returns nil if the job starts
-- now, which its rates count; or the time in ms at which it is tried again.
local function count_start(R, rate, state, number, now)
  state.full = (state.full > now and state.full or now) + rate.step
  if not rate.window then return end
  state.counted = math.max(state.counted, now + rate.per)
  state.starts = state.starts + rate.weight
  local member, started = rate.name .. string.format('\n%020.3f\n', now) .. R.worker .. '#' .. number .. '#', R.started
  for n = 1, rate.weight do
    started[#started + 1] = '0'
    started[#started + 1] = member .. n
  end
end

local function allows_start(R, rate, now)
  local state = rate_state(R, rate.name)
  return state.line <= now and state.late <= now and earliest_start(R, rate, state, now) <= now
end

local function slot_of(R, rules, payload, now)
  local jid = R.has_slots and jid_of(payload)
  local own = jid and tonumber(redis.pcall('ZSCORE', R.slots, jid))
  local slot, binding = nil, nil
  for _, rate in ipairs(rules.rates) do
    local state = rate_state(R, rate.name)
    local at, last = earliest_start(R, rate, state, now), state.late
    if not own then last = math.max(state.line, state.late) end
    if last > now and (not own or at > now) then at = math.max(at, last + rate.step) end
    if own and own > now and at > now then at = math.max(earliest_start(R, rate, state, now), own) end
    if at > now and (not slot or at > slot) then slot, binding = at, state end
  end
  if not slot then
    if own then redis.pcall('ZREM', R.slots, jid) end
    return nil
  end
  if own and own <= now then binding.late = slot else binding.line = math.max(binding.line, slot) end
  jid = jid or jid_of(payload)
  if jid then redis.pcall('ZADD', R.slots, slot, jid) end
  R.has_slots = true
  return slot
end

local function rate_slot(R, rules, payload, number, now)
  if R.has_slots == nil then R.has_slots = redis.pcall('EXISTS', R.slots) == 1 end
  local is_free, rates = not R.has_slots, rules.rates
  for i = 1, #rates do is_free = is_free and allows_start(R, rates[i], now) end
  local slot = not is_free and slot_of(R, rules, payload, now) or nil
  if slot then return slot end
  for i = 1, #rates do count_start(R, rates[i], rate_state(R, rates[i].name), number, now) end
end
