-- Remove what rates no longer need: some rates that allow as many starts as a new one, and old slots.
--
-- KEYS[1], KEYS[2], KEYS[3] of rates (see `rate_keys`)
-- ARGV[1] cursor of the scan ('0': its start)    ARGV[2] the time by which rates count (ms; '': Redis's)
-- ARGV[3] for how long a slot is kept after its time (ms)    ARGV[4] how many rates and slots to look at
-- Returns the cursor of the next call ('0': each rate was looked at), and how many rates and slots were removed.
--
-- One script, because no claim may count a start between the look at a rate and its removal.
local R, now = rate_keys(1), now_ms(ARGV[2])
local found, full, removed = redis.call('HSCAN', R.rates, ARGV[1], 'COUNT', ARGV[4]), {}, 0
for i = 1, #found[2], 2 do
  local name, latest, last = found[2][i], 0, 0
  for time in string.gmatch(found[2][i + 1], '[%d.]+') do
    last = tonumber(time) or 0
    latest = math.max(latest, last)
  end
  if latest <= now then
    full[#full + 1] = name
    if last > 0 then redis.pcall('ZREMRANGEBYLEX', R.starts, '[' .. name .. '\n', '(' .. name .. '\v') end
  end
end
in_chunks(full, function(...) removed = removed + redis.call('HDEL', R.rates, ...) end)
local before = string.format('%.0f', now - tonumber(ARGV[3]))
local old = redis.call('ZRANGEBYSCORE', R.slots, '-inf', before, 'LIMIT', 0, ARGV[4])
in_chunks(old, function(...) removed = removed + redis.call('ZREM', R.slots, ...) end)
return { found[1], removed }
