-- Start a unique job: free its lock if it lasts until the start, and report if a newer push has replaced the job.
--
-- KEYS[1] hash of locks    KEYS[2] sorted set of replaced jobs    KEYS[3] hash of jobs in progress
-- ARGV[1] key    ARGV[2] jid    ARGV[3] 1: the lock lasts until the start    ARGV[4] the job's number
-- Returns 1 if the job may run, 0 if it was replaced.
--
-- One script, because a push in between must find either the lock or the freed lock. A worker that has lost the job
-- changes nothing.
if redis.call('HEXISTS', KEYS[3], ARGV[4]) == 0 then return 1 end
if redis.call('ZSCORE', KEYS[2], ARGV[2]) then return 0 end
if ARGV[3] == '1' then free_lock(KEYS[1], KEYS[2], ARGV[1], ARGV[2]) end
return 1
