-- Find which of an event's firings still run: a job of theirs waits, is delayed, is to be retried, is parked, or is
-- held by a worker with a heartbeat.
--
-- KEYS[1] hash of the event's watched jobs: jid -> due (ms)    KEYS[2] set of queue names
-- KEYS[3] prefix of the queues' lists    KEYS[4] sorted set of delayed jobs    KEYS[5] sorted set of retries
-- KEYS[6] sorted set worker -> when its heartbeat expires (ms)    KEYS[7] prefix of the hashes of jobs in progress
-- KEYS[8] set of Sidekiq's processes    KEYS[9] set of parked classes    KEYS[10] prefix of the parked jobs' lists
-- ARGV[1] now (ms)
-- Returns the due instants (ms) of those firings; jobs found nowhere have ended, and are watched no longer. One that a
-- dead worker holds does not run, but will be put back: it is watched on.
--
-- One script, because a job that moves on while one looks would be seen twice or not at all.
local CHUNK = 1000 -- payloads looked at in one go
local watched, left, found, dues = redis.call('HGETALL', KEYS[1]), {}, {}, {}
for i = 1, #watched, 2 do left[watched[i]] = watched[i + 1] end

local function jid_of(payload)
  local is_json, job = pcall(cjson.decode, payload)
  return is_json and type(job) == 'table' and job.jid
end

local function look(payloads)
  for _, text in ipairs(payloads) do
    for jid in pairs(left) do
      -- The jid may be an argument of another job, so the payload is read before it is believed.
      if string.find(text, jid, 1, true) and jid_of(text) == jid then found[jid], left[jid] = left[jid], nil end
    end
  end
end

local function look_through(list)
  for from = 0, redis.call('LLEN', list) - 1, CHUNK do
    if not next(left) then return end
    look(redis.call('LRANGE', list, from, from + CHUNK - 1))
  end
end

local function look_at_ours(from, to)
  for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], from, to)) do
    local entries = redis.call('HVALS', KEYS[7] .. worker)
    for i, entry in ipairs(entries) do entries[i] = string.gsub(entry, '^[^\n]*\n', '', 1) end
    look(entries)
  end
end

local function look_at_workers()
  look_at_ours(ARGV[1], '+inf')
  for _, process in ipairs(redis.call('SMEMBERS', KEYS[8])) do
    for _, entry in ipairs(redis.call('HVALS', process .. ':work')) do
      local is_json, work = pcall(cjson.decode, entry)
      local payload = is_json and type(work) == 'table' and work.payload
      look({ type(payload) == 'table' and cjson.encode(payload) or payload or '' })
    end
  end
end

if next(left) then look_at_workers() end
for _, queue in ipairs(redis.call('SMEMBERS', KEYS[2])) do look_through(KEYS[3] .. queue) end
for _, class in ipairs(redis.call('SMEMBERS', KEYS[9])) do look_through(KEYS[10] .. class) end
for _, set in ipairs({ KEYS[4], KEYS[5] }) do
  if next(left) then look(redis.call('ZRANGE', set, 0, -1)) end
end
for _, due in pairs(found) do dues[due] = true end
if next(left) then look_at_ours('-inf', '(' .. ARGV[1]) end
for jid in pairs(left) do redis.call('HDEL', KEYS[1], jid) end
local reply = {}
for due in pairs(dues) do reply[#reply + 1] = due end
return reply
