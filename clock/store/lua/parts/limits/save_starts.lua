-- Writes the starts under rates with `window` that this call has noted: together, as that costs a fraction.
local function save_starts(R)
  in_chunks(R.started, function(...) redis.pcall('ZADD', R.starts, ...) end)
  R.started = {}
end
