-- The state of a rate: see `rate_keys`. It is read once in a call; `save_rates` writes it.
local function rate_state(R, name)
  local state = R.states[name]
  if state then return state end
  local value = redis.pcall('HGET', R.rates, name)
  local pattern = '^([%d.]+)|([%d.]+)|([%d.]+)|([%d.]+)|?([%d.]*)$'
  local full, line, late, held, counted = string.match(type(value) == 'string' and value or '', pattern)
  state = { full = tonumber(full) or 0, line = tonumber(line) or 0 }
  state.late, state.held, state.counted = tonumber(late) or 0, tonumber(held) or 0, tonumber(counted) or 0
  R.states[name] = state
  return state
end
