-- Remove what the ledger and the history hold of an event that has left the clock file.
--
-- KEYS[1], ..., KEYS[4] hashes of the ledger (see declare.lua)    KEYS[5] hash event -> when it left the clock file
-- KEYS[6] its history    KEYS[7] its jobs' outcomes    KEYS[8] its watched jobs
-- KEYS[9] sorted set event -> its latest missed run    ARGV[1] the event
-- Returns 1 if it was removed; 0: it has come back.
--
-- One script, because a clock may declare the event between looking and removing.
local event = ARGV[1]
if redis.call('HEXISTS', KEYS[5], event) == 0 then return 0 end
for i = 1, 5 do redis.call('HDEL', KEYS[i], event) end
for i = 6, 8 do redis.call('UNLINK', KEYS[i]) end
redis.pcall('ZREM', KEYS[9], event) -- a key of another type has no entry
return 1
