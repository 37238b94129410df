-- Forget a dead worker once none of its jobs is left.
--
-- KEYS[1] its hash of jobs in progress    KEYS[2] sorted set of workers    KEYS[3] Sidekiq's set of processes
-- KEYS[4] its hash of marked jobs
-- ARGV[1] its identity    ARGV[2] now (ms): a worker whose score is not below it is alive again
-- Returns 1 if it was forgotten.
--
-- One script, because the worker may come back between looking and forgetting.
local expires = redis.call('ZSCORE', KEYS[2], ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 1 or (expires and tonumber(expires) >= tonumber(ARGV[2])) then return 0 end
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('DEL', KEYS[4])
return redis.call('ZREM', KEYS[2], ARGV[1])
