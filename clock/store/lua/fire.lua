-- Commit decisions about due instants: ledger, history and jobs, all or nothing for each.
--
-- KEYS[1] hash event -> last decided due instant (ms)    KEYS[2] hash event -> declaration
-- KEYS[3] set of queue names    KEYS[4] sorted set of delayed jobs    KEYS[5] prefix of the queues' lists
-- KEYS[6] prefix of the events' history streams
-- ARGV[1] how many entries an event's history keeps
-- then for each decision: event, declaration, due (ms), entry of the history (JSON), number of jobs,
-- and for each job: queue, score of the delayed set ('' for now), payload. An empty declaration: fired by hand,
-- which the history records and the ledger does not.
-- Returns a list, a number a decision: 1 committed, 0 another clock had decided that instant, or the event has
-- been declared anew since; -1 a key has the wrong type, nothing was written.
--
-- One script, because a crash between advancing the ledger and pushing the jobs would lose or double them.
local decided, declarations, queues, schedule = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local kinds = {}

local function is_decided(event, declaration, due)
  local known = redis.call('HGET', decided, event)
  return redis.call('HGET', declarations, event) ~= declaration or (known and tonumber(due) <= tonumber(known))
end

local function holds(key, kind)
  if not kinds[key] then kinds[key] = redis.call('TYPE', key).ok end
  return kinds[key] == kind or kinds[key] == 'none'
end

local function can_push(first, last)
  for i = first, last, 3 do
    if ARGV[i + 1] ~= '' then
      if not holds(schedule, 'zset') then return false end
    elseif not (holds(queues, 'set') and holds(KEYS[5] .. ARGV[i], 'list')) then
      return false
    end
  end
  return true
end

local function push(queue, at, payload)
  if at ~= '' then
    redis.call('ZADD', schedule, at, payload)
  else
    redis.call('SADD', queues, queue)
    redis.call('LPUSH', KEYS[5] .. queue, payload)
  end
end

local reply, i = {}, 2
while i <= #ARGV do
  local event, declaration, due, entry = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local first = i + 5
  local last = first + 3 * ARGV[i + 4] - 1
  local by_hand = declaration == ''
  if not by_hand and is_decided(event, declaration, due) then
    reply[#reply + 1] = 0
  elseif not can_push(first, last) then
    reply[#reply + 1] = -1
  else
    for j = first, last, 3 do push(ARGV[j], ARGV[j + 1], ARGV[j + 2]) end
    redis.call('XADD', KEYS[6] .. event, 'MAXLEN', '~', ARGV[1], '*', 'entry', entry)
    if not by_hand then redis.call('HSET', decided, event, due) end
    reply[#reply + 1] = 1
  end
  i = last + 1
end
return reply
