-- Remove a queue with all its jobs.
--
-- KEYS[1] the queue's list    KEYS[2] set of queue names    ARGV[1] the queue's name
-- Returns how many jobs it held.
--
-- One script, because a job pushed between counting and removing would vanish uncounted.
local held = redis.call('LLEN', KEYS[1])
redis.call('UNLINK', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
return held
