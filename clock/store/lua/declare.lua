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
local CHUNK = 1000 -- arguments in one command: Lua's stack holds a few thousand
local now = tonumber(ARGV[1])
local leader = ARGV[2] ~= '' and redis.call('HMGET', KEYS[5], 'release', 'rank')
if leader and leader[1] and leader[1] ~= ARGV[2] and tonumber(leader[2]) > tonumber(ARGV[3]) then return false end

local events = {}
for i = 4, #ARGV, 2 do events[#events + 1] = ARGV[i] end

local function in_chunks(list, command)
  for i = 1, #list, CHUNK do command(unpack(list, i, math.min(i + CHUNK - 1, #list))) end
end

local function read(key)
  local found, at = {}, 0
  in_chunks(events, function(...)
    for _, value in ipairs(redis.call('HMGET', key, ...)) do
      at = at + 1
      found[events[at]] = value
    end
  end)
  return found
end

-- UTC has many names, which were written as the machine had them before they became one.
local UTC = { UTC = 1, UCT = 1, Universal = 1, Zulu = 1, GMT = 1, GMT0 = 1, ['GMT+0'] = 1, ['GMT-0'] = 1, Greenwich = 1 }
local function with_one_utc(declaration)
  return (declaration:gsub(' in (%S+)', function(zone) return UTC[(zone:gsub('^Etc/', ''))] and ' in UTC' end))
end

local anchor, declared, decided = read(KEYS[1]), read(KEYS[2]), read(KEYS[3])
local new = { {}, {}, {} } -- as KEYS: what each hash is to hold, event and value by turns
local reply = {}
for n, event in ipairs(events) do
  local declaration = ARGV[2 * n + 3]
  local known = declared[event]
  if known and known ~= declaration and with_one_utc(known) == declaration then
    table.insert(new[2], event)
    table.insert(new[2], declaration)
  elseif known ~= declaration then
    local begin = math.max(now, known and tonumber(decided[event] or 0) or 0)
    declared[event] = declaration
    anchor[event] = string.format('%.0f', begin)
    decided[event] = string.format('%.0f', known and begin or now - 1000)
    for hash, value in ipairs({ anchor[event], declaration, decided[event] }) do
      table.insert(new[hash], event)
      table.insert(new[hash], value)
    end
  end
  reply[2 * n - 1] = anchor[event]
  reply[2 * n] = decided[event]
end
for hash, pairs_of_it in ipairs(new) do
  in_chunks(pairs_of_it, function(...) redis.call('HSET', KEYS[hash], ...) end)
end
if redis.call('EXISTS', KEYS[4]) == 1 then
  in_chunks(events, function(...) redis.call('HDEL', KEYS[4], ...) end)
end
return reply
