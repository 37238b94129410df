-- Look up, or begin, the ledger entries of events.
--
-- KEYS[1] hash event -> anchor (ms)       KEYS[2] hash event -> declaration
-- KEYS[3] hash event -> last decided due instant (ms)
-- ARGV[1] the anchor of what is new: now, a whole second (ms since 1970)
-- ARGV[2], ARGV[3], ... pairs: event, declaration
-- Returns a flat list: anchor, last decided, for each pair.
--
-- An event never seen begins one second before its anchor, so that it may be due at the anchor itself; one whose
-- declaration changed begins at the anchor, so that an edit alone fires nothing.
-- One script, because two clocks that start together must agree on the anchor.
local anchors, declarations, decided, now = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local reply = {}
for i = 2, #ARGV, 2 do
  local event, declaration = ARGV[i], ARGV[i + 1]
  local known = redis.call('HGET', declarations, event)
  if known ~= declaration then
    redis.call('HSET', declarations, event, declaration)
    redis.call('HSET', anchors, event, now)
    redis.call('HSET', decided, event, known and now or string.format('%.0f', now - 1000))
  end
  reply[#reply + 1] = redis.call('HGET', anchors, event)
  reply[#reply + 1] = redis.call('HGET', decided, event)
end
return reply
