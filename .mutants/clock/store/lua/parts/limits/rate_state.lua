-- Part of every script that calls `rate_state`. Not a script itself: it has no KEYS[1]. Returns a table.
--
-- The state of a rate: see `rate_keys`. `save` writes it.
local function rate_state(K, name)
  local value = redis.pcall('HGET', K.rates, name)
  local pattern = '^([%d.]+)|([%d.]+)|([%d.]+)|([%d.]+)|?([%d.]*)$'
  local full, line, late, held, counted = string.match(type(value) == 'string' and value or '', pattern)
  local state = { full = tonumber(full) or 0, line = tonumber(line) or 0 }
  state.late, state.held, state.counted = tonumber(late) or 0, tonumber(held) or 0, tonumber(counted) or 0
  state.save = function()
    local format = '%.3f|%.3f|%.3f|%.3f|%.3f'
    local text = string.format(format, state.full, state.line, state.late, state.held, state.counted)
    redis.pcall('HSET', K.rates, name, text)
  end
  return state
end

