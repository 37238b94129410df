-- Take, keep or refuse the lease of the clock that leads.
--
-- KEYS[1] the lease: hash of identity, release, rank; expires
-- ARGV[1] identity  ARGV[2] release  ARGV[3] rank of the release (a number)  ARGV[4] how long it holds (ms)
-- ARGV[5] 1: leave a free lease free. It ended before its time, so Redis lost it, and its holder takes it again
-- Returns the identity of the holder afterwards ('': none), its remaining time (ms), and a description of the
-- replaced value if that was not a valid lease ('': nothing).
--
-- Taken when free; kept by its holder; taken from a holder of another release with a lower rank, so the newest
-- release leads; a release without a rank is lower than any. An invalid or endless lease is replaced: it would keep
-- all clocks on standby.
-- One script, because between reading and writing another clock could take it.
local kind = redis.call('TYPE', KEYS[1]).ok
local found = ''
if kind ~= 'hash' and kind ~= 'none' then
  found = 'a ' .. kind
elseif kind == 'hash' and redis.call('PTTL', KEYS[1]) < 0 then
  found = 'a lease that never ends'
end
if found ~= '' then redis.call('DEL', KEYS[1]) end
local holder = redis.call('HMGET', KEYS[1], 'identity', 'release', 'rank')
if holder[1] and not tonumber(holder[3]) then found = 'a lease of the unknown rank "' .. (holder[3] or '') .. '"' end
local free = not holder[1]
local mine = holder[1] == ARGV[1]
local outranked = holder[2] and holder[2] ~= ARGV[2] and (tonumber(holder[3]) or -1) < tonumber(ARGV[3])
if not (free or mine or outranked) then return { holder[1], redis.call('PTTL', KEYS[1]), '' } end
if free and ARGV[5] == '1' then return { '', 0, found } end
redis.call('HSET', KEYS[1], 'identity', ARGV[1], 'release', ARGV[2], 'rank', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return { ARGV[1], tonumber(ARGV[4]), found }
