-- Delete jobs from `schedule`, `retry` or `dead`.
--
-- KEYS[1] the sorted set    KEYS[2], ... the six keys of batches
-- KEYS[8] hash of locks of unique jobs    KEYS[9] sorted set of replaced jobs
-- ARGV[1] now (ms)    ARGV[2] 'deleted' or 'cancelled' ('': they had ended before, as the dead)
-- ARGV[3], ... their members; none: all jobs, or if there are batches or locks the 1000 with the lowest
--   scores
-- Returns how many were removed, how many are left, and the first error of the data of batches ('').
--
-- One script, because a crash after the deletion would leave a batch that waits for the job.
local members, removed = ARGV, 0
local keys = batch_keys(2)
if #ARGV == 2 and (ARGV[2] == '' or redis.call('EXISTS', keys.children, KEYS[8]) == 0) then
  removed = redis.call('ZCARD', KEYS[1])
  redis.call('UNLINK', KEYS[1])
elseif #ARGV == 2 then
  members = redis.call('ZRANGE', KEYS[1], 0, 999)
  table.insert(members, 1, '')
  table.insert(members, 1, '')
end
for i = 3, #members do
  if redis.call('ZREM', KEYS[1], members[i]) == 1 then
    removed = removed + 1
    if ARGV[2] ~= '' then
      try_end_job(keys, members[i], ARGV[2], tonumber(ARGV[1]))
      free_lock_of(KEYS[8], KEYS[9], members[i])
    end
  end
end
return { removed, redis.call('ZCARD', KEYS[1]), not_ended }
