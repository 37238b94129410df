-- The time in ms: Redis's own, or the time that the caller has `given`, in tests that simulate time ('': none).
local function now_ms(given)
  if given and given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end
