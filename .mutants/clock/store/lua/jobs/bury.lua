-- Move jobs from one of `schedule`, `retry` and `dead` to another.
--
-- KEYS[1] the sorted set    KEYS[2] the target    KEYS[3], ... the six keys of batches
-- ARGV[1] their score there (float seconds): in `dead` now, else when they are due    ARGV[2] 'dead': they have ended,
-- 'living': they run again    ARGV[3] now (ms)    ARGV[4], ... their members
-- Returns how many were moved. A job that is no longer there is left alone.
--
-- One script, because a crash between taking a job out and adding it would lose it; so would a target of a
-- wrong type, which is why its type is checked first.
need('ZADD', KEYS[2], '0', '')
local kind = redis.call('TYPE', KEYS[2]).ok
if kind ~= 'zset' and kind ~= 'none' then return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is no sorted set') end
local moved = 0
for i = 4, #ARGV do
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    redis.call('ZADD', KEYS[2], ARGV[1], ARGV[i])
    pcall(end_job, batch_keys(3), ARGV[i], ARGV[2], tonumber(ARGV[3]))
    moved = moved + 1
  end
end
return moved
