-- Writes the states of the rates that this call has read, and the starts that it has noted.
local function save_rates(R)
  save_starts(R)
  for name, state in pairs(R.states) do
    local format = '%.3f|%.3f|%.3f|%.3f|%.3f'
    local text = string.format(format, state.full, state.line, state.late, state.held, state.counted)
    redis.pcall('HSET', R.rates, name, text)
  end
end
