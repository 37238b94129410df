-- Write or delete a schedule that was made at run time, if it still has the version that the writer has read.
--
-- KEYS[1] hash name -> "version since", timing, rest, one on each line; '' -> the latest version given
-- ARGV[1] the name    ARGV[2] the version that it must have: 0 it must be missing, '' any
-- ARGV[3] its timing, JSON ('': delete it)    ARGV[4] its other fields, JSON
-- Returns the new version, above 0 (of a deletion: 1 deleted, 0 it was missing); or minus the version that it has,
-- minus 1 more, if it has another one: -1 is missing. Then nothing was written. `since` is the version that changed
-- the timing last: the event starts again with it. Versions are never given twice, also not after a deletion.
--
-- One script, because a second writer could change the schedule between the comparison and the write.
local stored = redis.call('HGET', KEYS[1], ARGV[1])
local version, since, timing = string.match(stored or '0 0\n', '^(%d+) (%d+)\n([^\n]*)')
version = version or '0'
if ARGV[2] ~= '' and ARGV[2] ~= version then return -1 - tonumber(version) end
if ARGV[3] == '' then return redis.call('HDEL', KEYS[1], ARGV[1]) end
local new = redis.call('HINCRBY', KEYS[1], '', 1)
if timing ~= ARGV[3] then since = new end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d %d\n%s\n%s', new, since, ARGV[3], ARGV[4]))
return new
