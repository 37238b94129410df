-- Remove what the ledger and the history hold of an event that has left the clock file.
--
-- KEYS[1] hash event -> anchor    KEYS[2] hash event -> declaration    KEYS[3] hash event -> last decided
-- KEYS[4] hash event -> when it left the clock file    KEYS[5] its history    KEYS[6] its jobs' outcomes
-- KEYS[7] its watched jobs    ARGV[1] the event
-- Returns 1 if it was removed; 0: it has come back.
--
-- One script, because a clock may declare the event between looking and removing.
local event = ARGV[1]
if redis.call('HEXISTS', KEYS[4], event) == 0 then return 0 end
for i = 1, 4 do redis.call('HDEL', KEYS[i], event) end
for i = 5, 7 do redis.call('UNLINK', KEYS[i]) end
return 1
