-- Look for jobs by their jids in some places of jobs: one bounded step of a search.
--
-- KEYS[1], ... the places, in the order in which jobs move through them
-- ARGV[1] the start in the first place: -1, or the position that the step before returned
-- ARGV[2], ARGV[3] the jobs entered their queue between these times, if they are there (float seconds)
-- ARGV[4] how many places there are; then for each its kind: 'queue' or 'list', 'zset' or 'retry' (of
--   payloads), 'hash' (of jobs in progress, "queue\npayload") or 'busy' (Sidekiq's hash of a process's busy jobs)
-- then the jids
-- Returns the place to go on with (from 1; the number of places + 1: all were searched), the start in it, 1 if
-- something was not read, as it is too large or this user may not read it, else 0; then pairs: a jid that was found,
-- and the number of its place.
--
-- One script, because payloads would otherwise travel to the clock. A list is read from its left end and a sorted set
-- from its highest score: jobs leave at the other end, and those that are not yet read are not moved by that. A long
-- queue is in the order in which its jobs entered it, so only a part of it is read, found by bisection.
local MOST_JOBS, MOST_BYTES, PAGE = 500, 500000, 100 -- of one step: a few ms
local LARGE = 65536 -- bytes of a payload that is not read
local LONG, SLACK = 2000, 100 -- jobs of a long queue; jobs that are read on both sides of the found position
local MOST_RETRIES = 5000 -- a larger set is not read: workers have noted the scores of retried jobs
local SKEW = 2 -- seconds by which the clocks of two programs that push jobs may differ
local places = tonumber(ARGV[4])
local wanted, reply, jobs, bytes, unread = {}, {}, 0, 0, 0
for i = 5 + places, #ARGV do wanted[ARGV[i]] = true end

local function is_jid_of(payload, jid)
  if #payload > LARGE then return true end -- rather a job too many than an overlooked one
  local is_json, job = pcall(cjson.decode, payload)
  if is_json and type(job) == 'table' and job.payload then -- Sidekiq's note of a busy job
    job = type(job.payload) == 'string' and cjson.decode(job.payload) or job.payload
  end
  return not is_json or type(job) ~= 'table' or job.jid == jid
end

local function read(payload, place)
  jobs, bytes = jobs + 1, bytes + #payload
  for jid in string.gmatch(payload, 'jid\\?"%s*:%s*\\?"([^"\\]+)') do
    -- Arguments may hold a jid, too, so the payload is decoded first.
    if wanted[jid] and is_jid_of(payload, jid) then
      wanted[jid] = nil
      reply[#reply + 1] = jid
      reply[#reply + 1] = place
    end
  end
end

local function note_refusal(answer) -- a key of another type has no jobs
  if type(answer) == 'table' and answer.err and not string.find(answer.err, '^WRONGTYPE') then unread = 1 end
end

local function is_full() return jobs >= MOST_JOBS or bytes >= MOST_BYTES end

local function read_page(place, kind, from, count)
  local command = (kind == 'zset' or kind == 'retry') and 'ZREVRANGE' or 'LRANGE'
  local page = redis.pcall(command, KEYS[place], from, from + count - 1)
  note_refusal(page)
  for _, payload in ipairs(page) do read(payload, place) end
  return #page
end

local function entered_at(key, index)
  for i = index, index + 3 do -- some may have no time
    local time = tonumber(string.match(redis.call('LINDEX', key, i) or '', '.*"enqueued_at"%s*:%s*([%d.]+)'))
    if time then return time > 1e11 and time / 1000 or time end
  end
end

local function first_before(key, length, time)
  local low, high = 0, length
  while low < high do
    local middle = math.floor((low + high) / 2)
    local found = entered_at(key, middle)
    if not found then return nil end
    if found < time then high = middle else low = middle + 1 end
  end
  return low
end

local function read_likely(place, length)
  read_page(place, 'queue', math.max(0, length - SLACK), SLACK) -- the place of jobs that were put back
  local likely = first_before(KEYS[place], length, tonumber(ARGV[2])) -- the job of a clock enters when it is due
  if likely then read_page(place, 'queue', math.max(0, likely - SLACK), 2 * SLACK) end
  jobs = MOST_JOBS -- bisection takes as long as reading a few hundred
  return 0
end

local function part_of(key, length)
  local newest = first_before(key, length, tonumber(ARGV[3]) + SKEW)
  local oldest = first_before(key, length, tonumber(ARGV[2]) - SKEW)
  if not newest or not oldest then return 0, length end
  return math.max(0, newest - SLACK), oldest + SLACK
end

local function read_row(place, kind, from)
  local length = redis.pcall((kind == 'zset' or kind == 'retry') and 'ZCARD' or 'LLEN', KEYS[place])
  note_refusal(length)
  if type(length) ~= 'number' or length <= from then return nil end
  if kind == 'retry' and length > MOST_RETRIES then return nil end
  local memory = redis.pcall('MEMORY', 'USAGE', KEYS[place], 'SAMPLES', 5)
  if type(memory) == 'number' and memory / length > LARGE then
    unread = 1
    return nil
  end
  local stop = length
  if kind == 'queue' and length > LONG then
    if from < 0 then return read_likely(place, length) end
    if from == 0 then from, stop = part_of(KEYS[place], length) end
  end
  from = math.max(from, 0)
  while not is_full() and from < stop do
    local got = read_page(place, kind, from, from == 0 and 10 or PAGE)
    from, jobs = from + got, jobs + 1
    if got == 0 then return nil end
  end
  return from < stop and from or nil
end

local function read_hash(place, kind)
  local fields = redis.pcall('HKEYS', KEYS[place])
  note_refusal(fields)
  for _, field in ipairs(fields) do
    if redis.call('HSTRLEN', KEYS[place], field) > LARGE then
      unread, jobs = 1, jobs + 1
    else
      local entry = redis.call('HGET', KEYS[place], field)
      read(kind == 'hash' and string.match(entry, '^[^\n]*\n(.*)') or entry, place)
    end
  end
end

local from, place = tonumber(ARGV[1]), 1
while place <= places and not is_full() and next(wanted) do
  local kind = ARGV[4 + place]
  jobs = jobs + 1
  local rest = nil
  if kind == 'hash' or kind == 'busy' then read_hash(place, kind) else rest = read_row(place, kind, from) end
  if rest then
    from = rest
  else
    from, place = -1, place + 1
  end
end
table.insert(reply, 1, unread)
table.insert(reply, 1, from)
table.insert(reply, 1, place)
return reply
