-- Look up the ledger entries of events, or start them.
--
-- KEYS[1], ..., KEYS[4] hashes of the ledger, by event: anchor (ms), declaration, last decided due instant (ms), what
-- Clockwork's form with a condition counts its periods from
-- KEYS[5] hash event -> when it left the clock file (ms)    KEYS[6] the lease    KEYS[7] hash old name -> name now
-- ARGV[1] the anchor of new entries: now, a whole second (ms since 1970)
-- ARGV[2] release of this clock ('': none)    ARGV[3] its rank
-- ARGV[4], ARGV[5], ... threes: event, declaration, the entry that this clock knows ('': none),
-- "anchor decided counted"
-- Returns a flat list, for each event: anchor, last decided, counted ('': nothing), and the origin of the entry:
-- 0 unchanged, or new; 1 started again, as a part of it was missing or invalid; 2 written again from this clock's
-- memory; 3 missing, as the event is under another name now, which is in the place of the counted: the caller moves
-- it, see rename.lua. Returns nothing if a newer release leads, an error that names the key if one has the wrong type.
--
-- A new event starts one second before its anchor, so it may be due at the anchor itself. An event with a changed
-- declaration starts a millisecond after the anchor, so an edit alone fires nothing: due instants are whole seconds.
-- An event never starts before its last decided instant.
-- One script, because two clocks that start together must agree on the anchor.
local DAY = 86400000 -- an instant further ahead of now was not decided by a clock
local now = tonumber(ARGV[1])
local refused = refuse_unless('hash', { 1, 2, 3, 4, 5, 7 })
if refused then return refused end
if is_outranked(KEYS[6], ARGV[2], ARGV[3]) then return false end

local events = {}
for i = 4, #ARGV, 3 do events[#events + 1] = ARGV[i] end

local function read(key) return fields_of(key, events) end

local function instant(text) -- the number, if the text is an instant that may be in the ledger
  local number = text and string.match(text, '^%d+$') and tonumber(text)
  return number and number <= now + DAY and number or nil
end

local anchor, declared, decided, counted = read(KEYS[1]), read(KEYS[2]), read(KEYS[3]), read(KEYS[4])
local renamed = redis.call('EXISTS', KEYS[7]) == 1 and read(KEYS[7]) or {}

local function is_absent(event) return not (anchor[event] or declared[event] or decided[event]) end

local function is_elsewhere(event) -- under another name
  return renamed[event] and is_absent(event) and redis.call('HEXISTS', KEYS[2], renamed[event]) == 1
end

local function entry(event, declaration) -- anchor, last decided, origin; nothing: unchanged
  local from, at = instant(anchor[event]), instant(decided[event])
  if declared[event] and declared[event] ~= declaration then
    local begin = math.max(now, (at or 0) - (at or 0) % 1000)
    return begin, begin + 1, 0
  elseif is_absent(event) then
    return now, now - 1000, 0
  end
  if from and at and at < from - 1000 then at = nil end -- an entry starts a second before its anchor at most
  if not (declared[event] and from and at) then -- started again, from the parts that are left
    return from or (at and at - at % 1000) or now, at or now + 1, 1
  end
end

-- UTC has many names, which were written as the machine had them before they became one.
local UTC = { UTC = 1, UCT = 1, Universal = 1, Zulu = 1, GMT = 1, GMT0 = 1, ['GMT+0'] = 1, ['GMT-0'] = 1, Greenwich = 1 }
local function with_one_utc(declaration)
  return (declaration:gsub(' in (%S+)', function(zone) return UTC[(zone:gsub('^Etc/', ''))] and ' in UTC' end))
end

local new = { {}, {}, {}, {} } -- as KEYS: what each hash is to hold, event and value by turns
local function set(hash, event, value)
  table.insert(new[hash], event)
  table.insert(new[hash], value)
end

local reply = {}
local function answer(n, ...)
  for i = 1, 4 do reply[4 * n - 4 + i] = select(i, ...) end
end

local function declare(n, event)
  local declaration, known = ARGV[3 * n + 2], ARGV[3 * n + 3]
  if declared[event] and declared[event] ~= declaration and with_one_utc(declared[event]) == declaration then
    declared[event] = declaration
    set(2, event, declaration)
  end
  local is_changed = declared[event] and declared[event] ~= declaration
  local from, at, origin = entry(event, declaration)
  local counts = from and '' or counted[event] or ''
  if from and known ~= '' and not is_changed then
    from, at, counts = string.match(known, '^(%d+) (%d+) (.*)$')
    origin = 2
  end
  if from then
    anchor[event], decided[event] = string.format('%.0f', from), string.format('%.0f', at)
    set(1, event, anchor[event])
    set(2, event, declaration)
    set(3, event, decided[event])
    if counts ~= (counted[event] or '') then set(4, event, counts) end
  end
  answer(n, anchor[event], decided[event], counts, origin or 0)
end

for n, event in ipairs(events) do
  if is_elsewhere(event) then answer(n, 0, 0, renamed[event], 3) else declare(n, event) end
end
for hash, pairs_of_it in pairs(new) do
  in_chunks(pairs_of_it, function(...) redis.call('HSET', KEYS[hash], ...) end)
end
if redis.call('EXISTS', KEYS[5]) == 1 then
  in_chunks(events, function(...) redis.call('HDEL', KEYS[5], ...) end)
end
return reply
