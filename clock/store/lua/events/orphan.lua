-- Note events that are no longer in the clock file, and forget those that left it long ago.
--
-- KEYS[1], ..., KEYS[4] hashes of the ledger (see declare.lua)    KEYS[5] hash event -> when it left the clock file (ms)
-- KEYS[6] sorted set event -> its latest missed run
-- KEYS[7], ... for each event: its history stream, its stream of outcomes, its hash of watched jobs
-- ARGV[1] now (ms)    ARGV[2] how long an entry is kept (ms)    ARGV[3] 1: they start again if they come back
-- ARGV[4], ... the events
-- Returns how many were forgotten.
--
-- One script, because an event that comes back at this moment must find its entry whole or not at all.
local now, kept, forgotten = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
for i = 4, #ARGV do
  local event = ARGV[i]
  local left = tonumber(redis.call('HGET', KEYS[5], event))
  if not left or left > now then -- it leaves now, or what is there is not an instant
    left = now
    redis.call('HSET', KEYS[5], event, ARGV[1])
  end
  if ARGV[3] == '1' then redis.call('HSET', KEYS[2], event, '') end
  if now - left > kept then
    for key = 1, 5 do redis.call('HDEL', KEYS[key], event) end
    redis.call('UNLINK', unpack(KEYS, 3 * i - 5, 3 * i - 3))
    redis.pcall('ZREM', KEYS[6], event) -- a key of another type has no entry
    forgotten = forgotten + 1
  end
end
return forgotten
