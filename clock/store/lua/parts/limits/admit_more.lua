-- Jobs with the same rules, one behind the other, are a run. Returns how many more of them may be claimed without a look
-- at each, after one of them was admitted. The caller counts those that it claims; `end_run` adds these, `used`, to the
-- places and starts of this call.
local function starts_left(rate, state, now)
  if rate.window then return 0 end
  local left = math.floor((now + rate.per - (state.full > now and state.full or now)) / rate.step)
  return left > 0 and left or 0 -- also if another program wrote infinity: no number is above NaN
end

local function admit_more(K, R, rules, now)
  if K.has_reserved or R.has_slots then return 0 end
  local free = 1000
  for _, limit in ipairs(rules.limits) do
    local seen = places_of(K, limit.name)
    free = math.min(free, (seen.max or limit.max) - seen.count)
  end
  for _, rate in ipairs(rules.rates) do free = math.min(free, starts_left(rate, rate_state(R, rate.name), now)) end
  return free
end

local function end_run(K, R, rules, used)
  if used == 0 then return end
  for _, limit in ipairs(rules.limits) do
    local seen = places_of(K, limit.name)
    seen.own, seen.count = seen.own + used, seen.count + used
  end
  for _, rate in ipairs(rules.rates) do
    local state = rate_state(R, rate.name)
    state.full = state.full + used * rate.step
  end
end
