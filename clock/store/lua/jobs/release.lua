-- Move due jobs from `schedule` or `retry`, or jobs that a limit held back, to their queues.
--
-- KEYS[1] the sorted set    KEYS[2] set of queue names    KEYS[3], ... the six keys of batches
-- KEYS[9], ... for each job the list of its queue
-- ARGV[1] when a job that cannot be moved is tried again (float seconds); '': it keeps its score
-- ARGV[2] 'living' if they were dead, else ''    ARGV[3] 'LPUSH', or 'RPUSH': they go to the front
-- ARGV[4], ... for each job its member of the sorted set, the name of its queue, its new payload
-- Returns how many were moved, the keys that are not lists: no job moved there, and the first error of the data of
-- batches (''). A member that another worker has moved is left alone. A job whose queue is not a list stays and
-- gets the score of ARGV[1]: it must not hide those behind it.
--
-- One script, because a crash between taking a job out and pushing it would lose it.
for place = 9, #KEYS do need(ARGV[3], KEYS[place], '') end
local moved, wrong = 0, {}
for job = 1, #KEYS - 8 do
  local member, name, payload = ARGV[3 * job + 1], ARGV[3 * job + 2], ARGV[3 * job + 3]
  local kind = redis.call('TYPE', KEYS[8 + job]).ok
  if kind ~= 'list' and kind ~= 'none' then
    if ARGV[1] ~= '' then redis.call('ZADD', KEYS[1], 'XX', ARGV[1], member) end
    wrong[#wrong + 1] = KEYS[8 + job]
  elseif redis.call('ZREM', KEYS[1], member) == 1 then
    redis.call(ARGV[3], KEYS[8 + job], payload)
    if ARGV[2] ~= '' then try_end_job(batch_keys(3), payload, ARGV[2], 0) end
    redis.pcall('SADD', KEYS[2], name)
    moved = moved + 1
  end
end
return { moved, wrong, not_ended }
