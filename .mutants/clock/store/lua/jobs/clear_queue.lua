-- Remove a queue with all its jobs, or a part of them if there are batches.
--
-- KEYS[1] the queue's list    KEYS[2] set of queue names    KEYS[3], ... the six keys of batches
-- ARGV[1] the queue's name    ARGV[2] now (ms)    ARGV[3] how many jobs to remove at most, if there are batches
-- Returns how many jobs were removed, and how many are left.
--
-- One script, because a job pushed between counting and removing would vanish uncounted.
local held = redis.call('LLEN', KEYS[1])
local keys, most = batch_keys(3), tonumber(ARGV[3])
if redis.call('EXISTS', keys.children) == 1 then
  for _, payload in ipairs(redis.call('RPOP', KEYS[1], most) or {}) do
    pcall(end_job, keys, payload, 'deleted', tonumber(ARGV[2]))
  end
  if held > most then return { most, held - most } end
end
redis.call('UNLINK', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
return { held, 0 }
