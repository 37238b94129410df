-- Move jobs from `schedule` or `retry` to `dead`.
--
-- KEYS[1] the sorted set    KEYS[2] sorted set of dead jobs
-- ARGV[1] their score there: now (float seconds)    ARGV[2] members with a lower score are removed
-- ARGV[3] how many members are kept    ARGV[4], ... the members that are moved
-- Returns how many were moved; one that is no longer there is left alone.
--
-- One script, because a crash between taking a job out and adding it would lose it.
local moved = 0
for i = 4, #ARGV do
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    redis.call('ZADD', KEYS[2], ARGV[1], ARGV[i])
    moved = moved + 1
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[3])
return moved
