-- Remove a queue with all its jobs, or a part of them if there are batches or locks of unique jobs.
--
-- KEYS[1] the queue's list    KEYS[2] set of queue names    KEYS[3], ... the six keys of batches
-- KEYS[9] hash of locks of unique jobs    KEYS[10] sorted set of replaced jobs
-- ARGV[1] the queue's name    ARGV[2] now (ms)
-- ARGV[3] how many jobs to remove at most, if there are batches or locks
-- Returns how many jobs were removed, how many are left, and the first error of the data of batches ('').
--
-- One script, because a job pushed between counting and removing would vanish uncounted.
local held = redis.call('LLEN', KEYS[1])
local keys, most = batch_keys(3), tonumber(ARGV[3])
if redis.call('EXISTS', keys.children, KEYS[9]) > 0 then
  for _, payload in ipairs(redis.call('RPOP', KEYS[1], most) or {}) do
    try_end_job(keys, payload, 'deleted', tonumber(ARGV[2]))
    free_lock_of(KEYS[9], KEYS[10], payload)
  end
  if held > most then return { most, held - most, not_ended } end
end
redis.call('UNLINK', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
return { held, 0, not_ended }
