-- Move due jobs from `schedule` or `retry` to their queues.
--
-- KEYS[1] the sorted set    KEYS[2] prefix of the queues' lists    KEYS[3] set of queue names
-- ARGV: for each job its member of the sorted set, the name of its queue, its new payload.
-- Returns how many were moved; a member that another worker has moved is left alone, and so is one whose queue is
-- no list: the others must not wait for it.
--
-- One script, because a crash between taking a job out and pushing it would lose it.
local moved = 0
for i = 1, #ARGV, 3 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    local pushed = redis.pcall('LPUSH', KEYS[2] .. ARGV[i + 1], ARGV[i + 2])
    if type(pushed) == 'number' then
      redis.call('ZREM', KEYS[1], ARGV[i])
      redis.call('SADD', KEYS[3], ARGV[i + 1])
      moved = moved + 1
    end
  end
end
return moved
