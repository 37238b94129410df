-- Give the lease back, if it is still this clock's.
--
-- KEYS[1] the lease    ARGV[1] identity
-- Returns 1 if it was given back.
-- One script, because the lease may have gone to another clock since it was last looked at.
if redis.call('HGET', KEYS[1], 'identity') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
