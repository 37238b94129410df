-- Commit decisions about due instants: ledger, history and jobs, all or nothing for each.
--
-- KEYS[1] hash event -> last decided due instant (ms)    KEYS[2] hash event -> declaration
-- KEYS[3] set of queue names    KEYS[4] sorted set of delayed jobs    KEYS[5] prefix of the queues' lists
-- KEYS[6] prefix of the events' history streams    KEYS[7] hash event ('': all) -> pause, JSON
-- KEYS[8] prefix of the hashes of watched jobs: jid -> due (ms)    KEYS[9] the lease
-- ARGV[1] how many entries an event's history keeps    ARGV[2] release of this clock ('': none)  ARGV[3] its rank
-- ARGV[4] the decisions, as MessagePack, because one argument is read many times faster than thousands are: a list
-- of lists of event, declaration, after (ms): the due instant decided before it, due (ms), entry of the history
-- (JSON), jobs, watched jids. A job is a list of payload, queue, score of the delayed set (nil: for now). An empty
-- declaration: fired by hand, which the history records and the ledger does not.
-- Returns a list, a number a decision: 1 committed, 0 decided already; -1 a key has the wrong type, -2 a newer
-- release leads, -3 the ledger says something else of the event than `after` and declaration do, -4 it is paused;
-- below 1 nothing was written.
--
-- One script, because a crash between advancing the ledger and pushing the jobs would lose or double them.
local CHUNK = 1000 -- arguments in one command: Lua's stack holds a few thousand
local EVENT, DECLARATION, AFTER, DUE, RECORD, JOBS, WATCHED = 1, 2, 3, 4, 5, 6, 7 -- of a decision
local PAYLOAD, QUEUE, AT = 1, 2, 3 -- of a job
local decisions = cmsgpack.unpack(ARGV[4])
local events, kinds, reply = {}, {}, {}
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

local function can_push(jobs)
  for _, job in ipairs(jobs) do
    if job[AT] then
      if not holds(KEYS[4], 'zset') then return false end
    elseif not (holds(KEYS[3], 'set') and holds(KEYS[5] .. job[QUEUE], 'list')) then
      return false
    end
  end
  return true
end

local function push(job)
  if job[AT] then
    redis.call('ZADD', KEYS[4], job[AT], job[PAYLOAD])
  else
    local payloads = queued[job[QUEUE]] or {}
    queued[job[QUEUE]] = payloads
    payloads[#payloads + 1] = job[PAYLOAD]
  end
end

local any_pause = redis.call('EXISTS', KEYS[7]) == 1
local function covers(stretch, due)
  return due >= stretch['from'] and not (stretch['until'] and due >= stretch['until'])
end

local function is_paused(event, due)
  for _, name in ipairs({ event, '' }) do
    local text = any_pause and redis.call('HGET', KEYS[7], name)
    local latest = text and cjson.decode(text)
    if latest and covers(latest, due) then return true end
    for _, stretch in ipairs(latest and latest['earlier'] or {}) do
      if covers(stretch, due) then return true end
    end
  end
  return false
end

local function judge(decision)
  local event, due, jobs = decision[EVENT], decision[DUE], decision[JOBS]
  if decision[DECLARATION] ~= '' then
    local known = tonumber(decided[event] or nil)
    if declared[event] ~= decision[DECLARATION] then return -3 end
    if known == due then return 0 end
    if known ~= decision[AFTER] then return -3 end
    if #jobs > 0 and is_paused(event, due) then return -4 end
  end
  return can_push(jobs) and 1 or -1
end

for n, decision in ipairs(decisions) do events[n] = decision[EVENT] end
local leader = ARGV[2] ~= '' and redis.call('HMGET', KEYS[9], 'release', 'rank')
local outranked = leader and leader[1] and leader[1] ~= ARGV[2] and tonumber(leader[2]) > tonumber(ARGV[3])
read(KEYS[1], decided)
read(KEYS[2], declared)
for n, decision in ipairs(decisions) do
  local event = decision[EVENT]
  reply[n] = outranked and -2 or judge(decision)
  if reply[n] == 1 then
    -- First, as it may be refused: looking at the type of each event's history would cost as much as the rest.
    local added = redis.pcall('XADD', KEYS[6] .. event, 'MAXLEN', '~', ARGV[1], '*', 'entry', decision[RECORD])
    if type(added) == 'table' and added.err then
      if not string.find(added.err, 'WRONGTYPE', 1, true) then return added end
      reply[n] = -1
    end
  end
  if reply[n] == 1 then
    local due = string.format('%.0f', decision[DUE])
    for _, job in ipairs(decision[JOBS]) do push(job) end
    for _, jid in ipairs(decision[WATCHED]) do redis.call('HSET', KEYS[8] .. event, jid, due) end
    if decision[DECLARATION] ~= '' then
      decided[event] = decision[DUE]
      advanced[#advanced + 1] = event
      advanced[#advanced + 1] = due
    end
  end
end
for queue, payloads in pairs(queued) do
  redis.call('SADD', KEYS[3], queue)
  in_chunks(payloads, function(from, to) redis.call('LPUSH', KEYS[5] .. queue, unpack(payloads, from, to)) end)
end
in_chunks(advanced, function(from, to) redis.call('HSET', KEYS[1], unpack(advanced, from, to)) end)
return reply
