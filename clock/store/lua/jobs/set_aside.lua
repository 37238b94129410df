-- Move a failed job from in progress to `retry` or `dead`, and count it.
--
-- KEYS[1] hash of jobs in progress    KEYS[2] sorted set it goes to
-- KEYS[3..6] counters: processed ever, processed today, failed ever, failed today
-- KEYS[7] hash of locks of unique jobs    KEYS[8] sorted set of replaced jobs
-- KEYS[9], ... the six keys of batches    KEYS[15..21] of limits (see `limit_keys`)
-- KEYS[22] hash of its result, if it keeps one
-- ARGV[1] the job's number    ARGV[2] payload    ARGV[3] its score (float seconds)
-- ARGV[4] 1 if it goes to KEYS[2], 0 if it is dropped
-- ARGV[5] 1 if the job counts as processed and failed, 0 if it never ran
-- ARGV[6] key of the lock that it frees ('': none)    ARGV[7] its jid
-- ARGV[8] how it ended: 'dead', 'dropped', 'cancelled' ('': it runs again)    ARGV[9] now (ms)
-- ARGV[10] 1 if the entry may have limits: ARGV[2] may be another text, and lack them
-- ARGV[11] how long the result is kept (ms)    ARGV[12], ... fields and values of the result
-- Returns 1, or 0 if the job was no longer in progress here: another worker took it, nothing was written.
--
-- One script, because the job must never be in both places, or in neither. It leaves last, as a command that fails
-- (a key of a wrong type) ends the script and takes nothing back. A counter that holds no number counts nothing.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
if ARGV[8] ~= '' then end_job(batch_keys(9), ARGV[2], ARGV[8], tonumber(ARGV[9])) end
if ARGV[4] == '1' then redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2]) end
if ARGV[6] ~= '' then free_lock(KEYS[7], KEYS[8], ARGV[6], ARGV[7]) end
if KEYS[22] then
  redis.pcall('HSET', KEYS[22], unpack(ARGV, 12))
  redis.pcall('PEXPIRE', KEYS[22], ARGV[11])
end
local entry = ARGV[10] == '1' and redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
if entry then end_holder(limit_keys(15, KEYS[1]), entry) end
if ARGV[5] == '1' then
  count_jobs(KEYS[3], KEYS[4], 1)
  count_jobs(KEYS[5], KEYS[6], 1)
end
return 1
