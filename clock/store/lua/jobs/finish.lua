-- Acknowledge a job that keeps its result.
--
-- KEYS[1] hash of jobs in progress    KEYS[2], KEYS[3] counters: processed ever, processed today
-- KEYS[4] hash of the result    KEYS[5] hash of locks of unique jobs    KEYS[6] sorted set of replaced jobs
-- KEYS[7], ... the six keys of batches    KEYS[13..19] of limits (see `limit_keys`)
-- ARGV[1] the job's number    ARGV[2] key of the lock that it frees ('': none)    ARGV[3] its jid
-- ARGV[4] how long the result is kept (ms)    ARGV[5] now (ms)    ARGV[6] 'done', or how it ended otherwise
-- ARGV[7], ... fields and values of the result
-- Returns 1, or 0 if the job is no longer in progress here: another worker took it, and nothing was written.
--
-- One script, because a crash in between would lose the result of a job that is done. A counter that holds no number
-- counts nothing, and a result key of a wrong type is left alone: the job is done.
local entry = redis.call('HGET', KEYS[1], ARGV[1])
if not entry then return 0 end
end_job(batch_keys(7), entry, ARGV[6], tonumber(ARGV[5]))
if ARGV[2] ~= '' then free_lock(KEYS[5], KEYS[6], ARGV[2], ARGV[3]) end
redis.pcall('HSET', KEYS[4], unpack(ARGV, 7))
redis.pcall('PEXPIRE', KEYS[4], ARGV[4])
redis.call('HDEL', KEYS[1], ARGV[1])
if may_have(entry, 'limits') then end_holder(limit_keys(13, KEYS[1]), entry) end
count_jobs(KEYS[2], KEYS[3], 1)
return 1
