-- Move the data of an event to another name: its ledger entry, its pauses, history, outcomes, watched jobs.
--
-- KEYS[1], ..., KEYS[4] hashes of the ledger (see declare.lua)    KEYS[5] hash event -> pause
-- KEYS[6] hash event -> when it left the clock file    KEYS[7] hash old name -> the event's name now
-- KEYS[8] the lease    KEYS[9], KEYS[10] the history under the old name, under the new one
-- KEYS[11], KEYS[12] the outcomes    KEYS[13], KEYS[14] the watched jobs
-- KEYS[15] sorted set event -> its latest missed run
-- ARGV[1] the old name    ARGV[2] the new name    ARGV[3] release of this clock ('': none)    ARGV[4] its rank
-- Returns 1 if it was moved; 0: nothing is there under the old name, as it was moved before; -1: the new name
-- already has the entry of a declared event; -2: a newer release leads. Below 1 nothing was moved. An error
-- names a hash that has the wrong type; then nothing was moved.
--
-- An entry that waits to be forgotten gives way to the moved one. With KEYS[7] a clock of an older release, which
-- declares the old name, finds the event: see declare.lua.
-- One script, because an entry without its history, or under both names, would lose or repeat due instants.
local old, new = ARGV[1], ARGV[2]
local refused = refuse_unless('hash', { 1, 2, 3, 4, 5, 6, 7 })
if refused then return refused end
if is_outranked(KEYS[8], ARGV[3], ARGV[4]) then return -2 end

local function is_there(event) -- an empty declaration is that of a row that was deleted
  local declaration = redis.call('HGET', KEYS[2], event)
  return declaration and declaration ~= ''
end
if not is_there(old) then
  redis.call('HDEL', KEYS[7], new)
  return 0
end
if is_there(new) and redis.call('HEXISTS', KEYS[6], new) == 0 then return -1 end

for place = 1, 7 do
  need('HSET', KEYS[place], old, new)
  need('HDEL', KEYS[place], old)
end
for place = 9, 13, 2 do need('RENAME', KEYS[place], KEYS[place + 1]) end
for place = 1, 5 do
  local value = redis.call('HGET', KEYS[place], old)
  if value then
    redis.call('HSET', KEYS[place], new, value)
    redis.call('HDEL', KEYS[place], old)
  elseif place < 5 then -- a pause of the new name stays
    redis.call('HDEL', KEYS[place], new)
  end
end
redis.call('HDEL', KEYS[6], old, new)
for place = 9, 13, 2 do
  if redis.call('EXISTS', KEYS[place]) == 1 then redis.call('RENAME', KEYS[place], KEYS[place + 1]) end
end
local missed = redis.pcall('ZSCORE', KEYS[15], old) -- a key of another type has no entry
redis.pcall('ZREM', KEYS[15], old, new)
if type(missed) == 'string' then redis.pcall('ZADD', KEYS[15], missed, new) end
local names = redis.call('HGETALL', KEYS[7])
for i = 1, #names, 2 do
  if names[i + 1] == old then redis.call('HSET', KEYS[7], names[i], new) end
  if not is_there(names[i + 1]) and names[i + 1] ~= old then redis.call('HDEL', KEYS[7], names[i]) end
end
redis.call('HDEL', KEYS[7], new)
redis.call('HSET', KEYS[7], old, new)
return 1
