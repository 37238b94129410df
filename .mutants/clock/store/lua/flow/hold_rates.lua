-- Hold back the jobs of some rates for a while, because the other side asked for it.
--
-- KEYS[1] hash of rates (see `rate_keys`)    KEYS[2] sorted set of slots
-- ARGV[1] for how long (ms)    ARGV[2] the time by which rates count (ms; '': Redis's)
-- ARGV[3] jid of the job that was refused: it has the first slot after that    ARGV[4], ... the names
-- Returns when the time is over (ms, as text).
--
-- One script, because the end is in Redis's time, and the end that is later counts.
local R = { rates = KEYS[1] }
local over = now_ms(ARGV[2]) + tonumber(ARGV[1])
for i = 4, #ARGV do
  local state = rate_state(R, ARGV[i])
  state.held = math.max(state.held, over)
  state.save()
end
if #ARGV > 3 then redis.pcall('ZADD', KEYS[2], over, ARGV[3]) end
return string.format('%.3f', over)
