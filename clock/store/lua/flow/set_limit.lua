-- Set the maximum of a limit by hand, or remove it, and give places that are free then to blocked jobs.
--
-- KEYS[1], ..., KEYS[7] of limits (see `limit_keys`)
-- ARGV[1] the name    ARGV[2] the maximum ('': that of the jobs counts again)
-- Returns how many blocked jobs were moved: if any was, there may be more.
--
-- One script, because a place must not be free while a job is blocked.
local K = limit_keys(1)
if ARGV[2] == '' then redis.call('HDEL', K.limits, ARGV[1]) else redis.call('HSET', K.limits, ARGV[1], ARGV[2]) end
return hand_over(K, ARGV[1], now_ms())
