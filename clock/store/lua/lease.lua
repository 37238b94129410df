-- Take, keep or refuse the lease of the clock that leads.
--
-- KEYS[1] the lease: hash of identity, release, rank; expires
-- ARGV[1] identity  ARGV[2] release  ARGV[3] rank of the release (a number)  ARGV[4] how long it holds (ms)
-- Returns the identity of the holder afterwards, and for how long it holds yet (ms).
--
-- Taken when free; kept by its holder; taken from a holder of another release with a lower rank, so that the
-- newest release leads. One script, because between reading and writing another clock could take it.
local holder = redis.call('HMGET', KEYS[1], 'identity', 'release', 'rank')
local free = not holder[1]
local mine = holder[1] == ARGV[1]
local outranked = holder[2] and holder[2] ~= ARGV[2] and tonumber(holder[3]) < tonumber(ARGV[3])
if not (free or mine or outranked) then return { holder[1], redis.call('PTTL', KEYS[1]) } end
redis.call('HSET', KEYS[1], 'identity', ARGV[1], 'release', ARGV[2], 'rank', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return { ARGV[1], tonumber(ARGV[4]) }
