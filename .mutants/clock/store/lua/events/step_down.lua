-- Give the lease back, if it is still this clock's, and wake a standby clock.
--
-- KEYS[1] the lease    KEYS[2] list on which standby clocks wait    ARGV[1] identity
-- ARGV[2] how long the wake-up is kept for a waiting clock (ms)
-- Returns 1 if it was given back.
-- One script, because the lease may have gone to another clock since the last check.
if redis.call('HGET', KEYS[1], 'identity') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('LPUSH', KEYS[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
