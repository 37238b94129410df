-- Remove what the ledger and the history hold of an event.
--
-- KEYS[1] hash event -> anchor    KEYS[2] hash event -> declaration    KEYS[3] hash event -> last decided
-- KEYS[4] the event's history
-- ARGV[1] the event    ARGV[2] its declaration as it was read: one that has been declared anew since is left
-- Returns 1 if it was removed.
--
-- One script, because a clock may declare the event between looking and removing.
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
for i = 1, 3 do redis.call('HDEL', KEYS[i], ARGV[1]) end
redis.call('UNLINK', KEYS[4])
return 1
