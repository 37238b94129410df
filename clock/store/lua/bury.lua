-- Move jobs from `schedule` or `retry` to `dead`.
--
-- KEYS[1] the sorted set    KEYS[2] sorted set of dead jobs
-- ARGV[1] their score there: now (float seconds)    ARGV[2], ... the members that are moved
-- Returns how many were moved; one that is no longer there is left alone.
--
-- One script, because a crash between taking a job out and adding it would lose it. A job is added before it is
-- removed, as a command that fails (`dead` has a wrong type) ends the script and takes nothing back.
local moved = 0
for i = 2, #ARGV do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('ZADD', KEYS[2], ARGV[1], ARGV[i])
    redis.call('ZREM', KEYS[1], ARGV[i])
    moved = moved + 1
  end
end
return moved
