-- Remove holders of limits whose job is gone, and give all free places of some limits to their blocked jobs.
--
-- KEYS[1], ..., KEYS[7] of limits (see `limit_keys`)
-- ARGV[1] how many holders    ARGV[2], ... these, as they are stored; then the names of the limits
-- Returns how many holders were removed, and how many blocked jobs were moved: if any was, there may be more.
--
-- One script, because a place must not be free while a job is blocked.
local K, removed, moved = limit_keys(1), 0, 0
local gone = tonumber(ARGV[1])
for i = 2, 1 + gone do
  local jid = string.match(ARGV[i], '^[^\n]*\n(.*)|queue|%d+$')
  removed = removed + redis.call('ZREM', K.holders, ARGV[i])
  if jid then redis.call('ZREM', K.reserved, jid) end
end
for i = 2 + gone, #ARGV do moved = moved + hand_over(K, ARGV[i], now_ms()) end
return { removed, moved }
