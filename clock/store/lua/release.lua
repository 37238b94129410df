-- Move due jobs from `schedule` or `retry` to their queues.
--
-- KEYS[1] the sorted set    KEYS[2] prefix of the queues' lists    KEYS[3] set of queue names
-- ARGV: for each job its member of the sorted set, the name of its queue, its new payload.
-- Returns how many were moved; a member that another worker has moved is left alone.
--
-- One script, because a crash between taking a job out and pushing it would lose it.
local moved = 0
for i = 1, #ARGV, 3 do
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    redis.call('SADD', KEYS[3], ARGV[i + 1])
    redis.call('LPUSH', KEYS[2] .. ARGV[i + 1], ARGV[i + 2])
    moved = moved + 1
  end
end
return moved
