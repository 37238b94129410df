-- Commit decisions about due instants: ledger, history and jobs, all or nothing for each.
--
-- KEYS[1] hash event -> last decided due instant (ms)    KEYS[2] hash event -> declaration
-- KEYS[3] set of queue names    KEYS[4] sorted set of delayed jobs
-- KEYS[5] hash event ('': all) -> pause, JSON    KEYS[6] the lease
-- KEYS[7] hash event -> what Clockwork's form with a condition counts its periods from
-- KEYS[8] hash of locks of unique jobs    KEYS[9] sorted set of locks with a window    KEYS[10] sorted set of replaced
-- jobs    KEYS[11], ... the six keys of batches    KEYS[17], ... the list of each queue
-- then, for each decision, its event's history stream
-- then, for each decision with watched jobs, its event's hash of these: jid -> due (ms)
-- then, with missed decisions, the sorted set event -> due instant of its latest one (ms)
-- then, with backfilled decisions, the sorted set of these: due (ms), a space, event -> now (ms)
-- ARGV[1] how many entries an event's history keeps    ARGV[2] release of this clock ('': none)  ARGV[3] its rank
-- ARGV[4] the decisions, as MessagePack: one argument is read many times faster than thousands are. In columns: a table
-- for each decision would cost as much as all else. In this order, with the places counted from 1:
--   of each decision: events
--   declarations; an empty one: fired by hand or backfilled, which the history records and the ledger does not
--   what was decided before (ms, as text)
--   due instants (ms, as text)
--   entries of the history (JSON)
--   how many jobs it has
--   of each job, the jobs of all decisions one after the other: payloads
--   the places of their queues in the next column
--   the names of the queues
--   map: place of a job -> its score in the delayed set
--   map: place of a decision -> its watched jids
--   map: place of a decision -> what KEYS[7] is to hold for it
--   map: place of a decision -> 1 if its entry may join a latest one of the same kind in the history
--   map: place of a unique job -> its lock: key ('': none), jid, window (ms), the conflict rule, and the bid of its
--     batch ('': none). If another job holds the lock, the job is not pushed, and the history names the holder
--   map: place of a decision -> the batches that it opens: lists of bid, JSON, parent's bid (''),
--     1 if it is sealed, now (ms)
--   map: place of a backfilled decision -> now (ms)
--   map: place of a missed decision -> the due instant (ms) before which the list of missed runs forgets runs
-- ARGV[5] the time by which the windows of locks count (ms; '': Redis's)
-- Returns three lists. The first has a number for each decision: 1 committed, 0 decided already; -1 a key that its
-- jobs go to has the wrong type, -2 a newer release leads, -3 the ledger does not agree with `after` and the
-- declaration, -4 it is paused; below 1 nothing was written. The second names keys whose contents are invalid,
-- each in a sentence: a history or watched jobs that could not be written, a pause that was skipped. The third has
-- each job that was not pushed: its place, and the jid of the job that holds its lock. An error names a key of the
-- ledger that has the wrong type; then nothing was written.
--
-- One script, because a crash between advancing the ledger and pushing the jobs would lose or double them.
local events, declarations, afters, dues, records, counts, payloads, queues, names, delays, watched,
  counted, joins, locks, batches, backfilled, missed =
  unpack(cmsgpack.unpack(ARGV[4]))
local FIXED = 16 -- keys before those of the queues, the histories and the watched jobs
local HISTORIES = FIXED + #names
local next_watched = HISTORIES + #events
local BACKFILLED = KEYS[#KEYS] -- if there are any
local MISSED = KEYS[#KEYS - (next(backfilled) and 1 or 0)] -- if there are any
local kinds, reply, problems = {}, {}, {}
local advanced, queued, later, recounted, done = {}, {}, {}, {}, {}

local function holds(key, kind)
  if not kinds[key] then
    kinds[key] = redis.call('TYPE', key).ok
    if kinds[key] ~= kind and kinds[key] ~= 'none' then
      table.insert(problems, 'the key ' .. key .. ' holds a ' .. kinds[key] .. ' and not a ' .. kind)
    end
  end
  return kinds[key] == kind or kinds[key] == 'none'
end

local takes = {} -- place of a queue -> whether jobs can be pushed to it
local function can_take(queue)
  if takes[queue] == nil then takes[queue] = holds(KEYS[3], 'set') and holds(KEYS[FIXED + queue], 'list') end
  return takes[queue]
end

local function can_push(first, last)
  for job = first, last do
    if delays[job] then
      if not holds(KEYS[4], 'zset') then return false end
    elseif not can_take(queues[job]) then
      return false
    end
  end
  return true
end

local kept_out, not_pushed = {}, {} -- places of jobs whose lock is held, and the third list of the reply
local function take_locks(n, first, last) -- the history's entry names the holders
  local holders = {}
  for job = first, last do
    local lock = locks[job]
    local holder = lock and lock[1] ~= '' and take_lock(KEYS[8], KEYS[9], KEYS[10], now_ms(ARGV[5]), unpack(lock, 1, 4))
    if holder then
      kept_out[job] = true
      not_pushed[#not_pushed + 1] = job
      not_pushed[#not_pushed + 1] = holder
      holders[#holders + 1] = cjson.encode(lock[2]) .. ':' .. cjson.encode(holder)
    end
  end
  if #holders > 0 then
    records[n] = string.sub(records[n], 1, -2) .. ',"kept_out":{' .. table.concat(holders, ',') .. '}}'
  end
end

local function push(job)
  if kept_out[job] then return end
  if locks[job] and locks[job][5] ~= '' then add_child(batch_keys(11), locks[job][5], locks[job][2]) end
  if delays[job] then
    later[#later + 1] = delays[job]
    later[#later + 1] = payloads[job]
  else
    local waiting = queued[queues[job]]
    if not waiting then
      waiting = {}
      queued[queues[job]] = waiting
    end
    waiting[#waiting + 1] = payloads[job]
  end
end

local function open(event, bid, text, parent)
  local state = open_batch(batch_keys(11), bid, text, parent)
  if state == 'done' then
    local words = ' is done: a batch of that name is opened once, and these jobs have no callback'
    table.insert(problems, 'the batch ' .. bid .. ' of ' .. event .. words)
  end
  if state ~= 'no parent' then return end
  open_batch(batch_keys(11), bid, text, '')
  table.insert(problems, 'the parent ' .. parent .. ' of a batch of ' .. event .. ' is unknown or done: it has none now')
end

local any_pause = holds(KEYS[5], 'hash') and kinds[KEYS[5]] ~= 'none'
local function is_paused(event, due)
  local names = { event, '' }
  for place, text in ipairs(redis.call('HMGET', KEYS[5], unpack(names))) do
    local is_valid, covered = true, false
    if text then is_valid, covered = pcall(is_covered, text, due) end
    if not is_valid then
      table.insert(problems, 'the field "' .. names[place] .. '" of the key ' .. KEYS[5] .. ' is not a pause')
    elseif covered then
      return true
    end
  end
  return false
end

local function joined(n) -- a run of refusals is one entry of the history
  local key, record = KEYS[HISTORIES + n], records[n]
  local latest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  local text = latest and latest[2][2] or ''
  local kind = string.match(record, '^{"decision":"%a+"')
  local first = string.match(text, '"first":(%d+)') or string.match(text, '"due":(%d+)')
  if not (kind and first and string.sub(text, 1, #kind) == kind) then return record end
  redis.call('XDEL', key, latest[1])
  local count = (tonumber(string.match(text, '"count":(%d+)')) or 1) + 1
  return string.format('%s,"count":%d,"first":%s}', string.sub(record, 1, -2), count, first)
end

local function write_history(n)
  local key = KEYS[HISTORIES + n]
  local entry = joins[n] and holds(key, 'stream') and joined(n) or records[n]
  problems[#problems + 1] = add_record(key, ARGV[1], entry)
end

local function note_missed(n) -- for the dashboard's list
  if not holds(MISSED, 'zset') then return end
  local added = redis.pcall('ZADD', MISSED, dues[n], events[n])
  if type(added) == 'table' then table.insert(problems, 'the key ' .. MISSED .. ' takes no entry: ' .. added.err) end
  redis.pcall('ZREMRANGEBYSCORE', MISSED, '-inf', '(' .. missed[n]) -- a user of an older guide may not
end

local decided, declared -- read once nothing can fail any more
local function judge(n, first, last)
  local event, due = events[n], dues[n]
  if backfilled[n] and redis.call('ZSCORE', BACKFILLED, due .. ' ' .. event) then return 0 end
  if declarations[n] ~= '' then
    if declared[event] ~= declarations[n] then return -3 end
    if decided[event] == due then return 0 end
    if decided[event] ~= afters[n] then return -3 end
    if any_pause and last >= first and is_paused(event, tonumber(due)) then return -4 end
  end
  return can_push(first, last) and 1 or -1
end

local refused = refuse_unless('hash', next(counted) and { 1, 2, 7 } or { 1, 2 })
if refused then return refused end
need('HSET', KEYS[1], '', '')
if next(backfilled) then need('ZADD', BACKFILLED, 0, '') end
if next(delays) then need('ZADD', KEYS[4], 0, '') end
if #names > 0 then need('SADD', KEYS[3], '') end
for queue = 1, #names do need('LPUSH', KEYS[FIXED + queue], '') end
local outranked = is_outranked(KEYS[6], ARGV[2], ARGV[3])
decided, declared = fields_of(KEYS[1], events), fields_of(KEYS[2], events)
local first = 1
for n, event in ipairs(events) do
  local last = first + counts[n] - 1
  local verdict = outranked and -2 or judge(n, first, last)
  if watched[n] then next_watched = next_watched + 1 end
  if verdict == 1 then
    if next(locks) then take_locks(n, first, last) end
    for _, batch in ipairs(batches[n] or {}) do open(event, unpack(batch, 1, 3)) end
    write_history(n)
    if missed[n] then note_missed(n) end
    if backfilled[n] then
      done[#done + 1] = backfilled[n]
      done[#done + 1] = dues[n] .. ' ' .. event
    end
    for job = first, last do push(job) end
    for _, batch in ipairs(batches[n] or {}) do
      if batch[4] == '1' then seal_batch(batch_keys(11), batch[1], tonumber(batch[5])) end
    end
    if watched[n] and holds(KEYS[next_watched], 'hash') then
      for _, jid in ipairs(watched[n]) do redis.call('HSET', KEYS[next_watched], jid, dues[n]) end
    end
    if counted[n] then
      recounted[#recounted + 1] = event
      recounted[#recounted + 1] = counted[n]
    end
    if declarations[n] ~= '' then
      decided[event] = dues[n]
      advanced[#advanced + 1] = event
      advanced[#advanced + 1] = dues[n]
    end
  end
  reply[n] = verdict
  first = last + 1
end
-- Only commands that cannot fail are left: an error after the first push would push the jobs again.
in_chunks(later, function(...) redis.call('ZADD', KEYS[4], ...) end)
for queue, waiting in pairs(queued) do
  redis.call('SADD', KEYS[3], names[queue])
  in_chunks(waiting, function(...) redis.call('LPUSH', KEYS[FIXED + queue], ...) end)
end
in_chunks(advanced, function(...) redis.call('HSET', KEYS[1], ...) end)
in_chunks(recounted, function(...) redis.call('HSET', KEYS[7], ...) end)
in_chunks(done, function(...) redis.call('ZADD', BACKFILLED, ...) end)
return { reply, problems, not_pushed }
