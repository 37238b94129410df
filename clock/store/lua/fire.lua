-- Commit decisions about due instants: ledger, history and jobs, all or nothing for each.
--
-- KEYS[1] hash event -> last decided due instant (ms)    KEYS[2] hash event -> declaration
-- KEYS[3] set of queue names    KEYS[4] sorted set of delayed jobs    KEYS[5] prefix of the queues' lists
-- KEYS[6] prefix of the events' history streams    KEYS[7] hash event ('': all) -> pause, JSON
-- KEYS[8] prefix of the hashes of watched jobs: jid -> due (ms)    KEYS[9] the lease
-- ARGV[1] how many entries an event's history keeps    ARGV[2] release of this clock ('': none)  ARGV[3] its rank
-- then for each decision: event, declaration, after (ms): the due instant decided before it, due (ms), entry of
-- the history (JSON), number of jobs, number of watched jids; for each job: queue, score of the delayed set
-- ('' for now), payload; the watched jids. An empty declaration: fired by hand, which the history records and
-- the ledger does not.
-- Returns a list, a number a decision: 1 committed, 0 decided already; -1 a key has the wrong type, -2 a newer
-- release leads, -3 the ledger says something else of the event than `after` and declaration do, -4 it is paused;
-- below 1 nothing was written.
--
-- One script, because a crash between advancing the ledger and pushing the jobs would lose or double them.
local CHUNK = 1000 -- arguments in one command: Lua's stack holds a few thousand
local first_at, events, kinds, reply = {}, {}, {}, {}
local declared, decided, advanced, queued = {}, {}, {}, {}

local function in_chunks(list, command)
  for i = 1, #list, CHUNK do command(i, math.min(i + CHUNK - 1, #list)) end
end

local function read(key, into)
  in_chunks(events, function(from, to)
    for j, value in ipairs(redis.call('HMGET', key, unpack(events, from, to))) do into[events[from + j - 1]] = value end
  end)
end

local function holds(key, kind)
  if not kinds[key] then kinds[key] = redis.call('TYPE', key).ok end
  return kinds[key] == kind or kinds[key] == 'none'
end

local function can_push(first, last)
  for i = first, last, 3 do
    if ARGV[i + 1] ~= '' then
      if not holds(KEYS[4], 'zset') then return false end
    elseif not (holds(KEYS[3], 'set') and holds(KEYS[5] .. ARGV[i], 'list')) then
      return false
    end
  end
  return true
end

local function push(queue, at, payload)
  if at ~= '' then
    redis.call('ZADD', KEYS[4], at, payload)
  else
    if not queued[queue] then queued[queue] = {} end
    table.insert(queued[queue], payload)
  end
end

local any_pause = redis.call('EXISTS', KEYS[7]) == 1
local function is_paused(event, due)
  for _, name in ipairs({ event, '' }) do
    local text = any_pause and redis.call('HGET', KEYS[7], name)
    local pause = text and cjson.decode(text)
    if pause and due >= pause['from'] and not (pause['until'] and due >= pause['until']) then return true end
  end
  return false
end

local function judge(event, declaration, after, due, jobs, first)
  local known = tonumber(decided[event] or nil)
  if declaration ~= '' then
    if declared[event] ~= declaration then return -3 end
    if known == due then return 0 end
    if known ~= after then return -3 end
    if jobs > 0 and is_paused(event, due) then return -4 end
  end
  return can_push(first, first + 3 * jobs - 1) and 1 or -1
end

local i = 4
while i <= #ARGV do
  first_at[#first_at + 1] = i
  events[#events + 1] = ARGV[i]
  i = i + 7 + 3 * ARGV[i + 5] + ARGV[i + 6]
end
local leader = ARGV[2] ~= '' and redis.call('HMGET', KEYS[9], 'release', 'rank')
local outranked = leader and leader[1] and leader[1] ~= ARGV[2] and tonumber(leader[2]) > tonumber(ARGV[3])
read(KEYS[1], decided)
read(KEYS[2], declared)
for n, at in ipairs(first_at) do
  local event, declaration, due, jobs = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 3]), tonumber(ARGV[at + 5])
  local jids = at + 7 + 3 * jobs
  reply[n] = outranked and -2 or judge(event, declaration, tonumber(ARGV[at + 2]), due, jobs, at + 7)
  if reply[n] == 1 then
    for j = at + 7, jids - 1, 3 do push(ARGV[j], ARGV[j + 1], ARGV[j + 2]) end
    for j = jids, jids + ARGV[at + 6] - 1 do redis.call('HSET', KEYS[8] .. event, ARGV[j], ARGV[at + 3]) end
    redis.call('XADD', KEYS[6] .. event, 'MAXLEN', '~', ARGV[1], '*', 'entry', ARGV[at + 4])
    if declaration ~= '' then
      decided[event] = due
      advanced[#advanced + 1] = event
      advanced[#advanced + 1] = ARGV[at + 3]
    end
  end
end
for queue, payloads in pairs(queued) do
  redis.call('SADD', KEYS[3], queue)
  in_chunks(payloads, function(from, to) redis.call('LPUSH', KEYS[5] .. queue, unpack(payloads, from, to)) end)
end
in_chunks(advanced, function(from, to) redis.call('HSET', KEYS[1], unpack(advanced, from, to)) end)
return reply
