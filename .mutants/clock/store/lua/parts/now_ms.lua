-- Part of every script that calls `now_ms`. Not a script itself: it has no KEYS[1]. Returns the time in ms.
--
-- Redis's own time, or the time that the caller has `given`: in tests that simulate time ('': none).
local function now_ms(given)
  if given and given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end

