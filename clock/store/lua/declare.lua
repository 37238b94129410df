-- Look up, or begin, the ledger entries of events.
--
-- KEYS[1] hash event -> anchor (ms)       KEYS[2] hash event -> declaration
-- KEYS[3] hash event -> last decided due instant (ms)    KEYS[4] hash event -> when it left the clock file (ms)
-- KEYS[5] the lease
-- ARGV[1] the anchor of what is new: now, a whole second (ms since 1970)
-- ARGV[2] release of this clock ('': none)    ARGV[3] its rank
-- ARGV[4], ARGV[5], ... pairs: event, declaration
-- Returns a flat list: anchor, last decided, for each pair; or nothing where a newer release leads.
--
-- An event never seen begins one second before its anchor, so that it may be due at the anchor itself; one whose
-- declaration changed begins at the anchor, so that an edit alone fires nothing, and never before what it decided.
-- One script, because two clocks that start together must agree on the anchor.
local anchors, declarations, decided, now = KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[1])
local leader = ARGV[2] ~= '' and redis.call('HMGET', KEYS[5], 'release', 'rank')
if leader and leader[1] and leader[1] ~= ARGV[2] and tonumber(leader[2]) > tonumber(ARGV[3]) then return false end
local reply = {}
for i = 4, #ARGV, 2 do
  local event, declaration = ARGV[i], ARGV[i + 1]
  local known = redis.call('HGET', declarations, event)
  if known ~= declaration then
    local begin = math.max(now, known and tonumber(redis.call('HGET', decided, event) or 0) or 0)
    redis.call('HSET', declarations, event, declaration)
    redis.call('HSET', anchors, event, string.format('%.0f', begin))
    redis.call('HSET', decided, event, string.format('%.0f', known and begin or now - 1000))
  end
  redis.call('HDEL', KEYS[4], event)
  reply[#reply + 1] = redis.call('HGET', anchors, event)
  reply[#reply + 1] = redis.call('HGET', decided, event)
end
return reply
