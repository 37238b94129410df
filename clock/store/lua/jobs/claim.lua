-- Acknowledge finished jobs, and claim more.
--
-- KEYS[1] hash of this process's jobs in progress: number -> "queue\npayload"
-- KEYS[2] counter of jobs processed ever    KEYS[3] the same of today
-- KEYS[4] sorted set of workers    KEYS[5] set of paused queues (Sidekiq Pro's)
-- KEYS[6] sorted set of cancelled jobs    KEYS[7] hash of locks of unique jobs    KEYS[8] sorted set of replaced jobs
-- KEYS[9..15] of limits (see `limit_keys`)    KEYS[16..19] of rates (see `rate_keys`)    KEYS[20] counter of jobs with
-- a limit that ran on after their worker was declared dead    KEYS[21], ... queues, in their order
-- ARGV[1] how many to claim at most    ARGV[2] number of the first one claimed
-- ARGV[3] this worker's identity    ARGV[4] when it counts as dead (ms), without a further heartbeat
-- ARGV[5], ... one after the other:
--   how many jobs to acknowledge; their numbers
--   how many of them free a lock; for each its number, its lock's key and its jid. Key '': the end of the job may push
--     other jobs; the six keys of batches follow the queues then, and the jid is now (ms)
--   how many groups of further jobs to acknowledge, which have limits; for each group the start of their payloads up to
--     the end of the limits ('': not known), how many, and their numbers
--   the time by which rates count (ms; '': Redis's)
--   the names of the queues
-- Returns a flat list: "queue\npayload" for each claimed job; their numbers follow ARGV[2]. Then "\nqueue" for each
-- queue that is paused, and "\n\n" if there are cancelled jobs; last, after "\n\n\n", the first error of the data of
-- batches: the jobs concerned stay in progress.
--
-- One script, because a job must at every instant be in its queue or in progress; acknowledging goes along to
-- save the round trip. A worker that claims is alive: the script adds it to the set of workers, so others look for
-- its jobs. A queue whose key is not a list is skipped: the jobs of the other queues must not wait for it. A counter that
-- holds no number counts nothing. A job that a limit or a rate holds back is not claimed:
-- `admit()` moves it.
local FIVE_YEARS = 157680000
local MOST_BYTES = 1000000 -- of payloads in one call, unless the first job has more: a few ms
local MOST_HELD_BACK = 1000 -- by limits and rates in one call: about 10 ms
local USUAL, SMALL = 1024, 16384 -- bytes of a job: of such, 16 and 4 are popped at once
need('HSET', KEYS[1], '0', '')
local acknowledged = tonumber(ARGV[5])
local freed = tonumber(ARGV[6 + acknowledged])
local groups_at = 7 + acknowledged + 3 * freed -- the place of their count in ARGV
local before_names = groups_at + 1
for _ = 1, tonumber(ARGV[groups_at]) do before_names = before_names + 2 + tonumber(ARGV[before_names + 1]) end
local last_queue = 20 + #ARGV - before_names
local K, lists = limit_keys(9, KEYS[1]), { freed = {} }
local R = rate_keys(16, K.worker)
for i = 21, last_queue do lists[ARGV[before_names + i - 20]] = KEYS[i] end
local left = {} -- jobs whose end could not be noted: they stay in progress
for at = 7 + acknowledged, groups_at - 1, 3 do
  local entry = redis.call('HGET', KEYS[1], ARGV[at])
  if entry and ARGV[at + 1] == '' then
    local is_noted = try_end_job(batch_keys(last_queue + 1), entry, 'done', tonumber(ARGV[at + 2]))
    left[ARGV[at]] = not is_noted and entry or nil
  elseif entry then
    free_lock(KEYS[7], KEYS[8], ARGV[at + 1], ARGV[at + 2])
  end
end
local done, ended, missing = 0, {}, 0
local function acknowledge(first, last)
  if last < first then return 0 end
  local removed = redis.call('HDEL', KEYS[1], unpack(ARGV, first, last))
  done = done + removed
  return removed
end
acknowledge(6, 5 + acknowledged)
local at = groups_at + 1
while at < before_names do
  local first, last = at + 2, at + 1 + tonumber(ARGV[at + 1])
  local rules = ARGV[at] ~= '' and next(left) == nil and decode_rules(ARGV[at] .. '}')
  if not rules then
    for i = first, last do
      local entry = redis.call('HGET', KEYS[1], ARGV[i])
      if entry and not left[ARGV[i]] then count_limits(ended, entry) end
    end
  end
  local removed = acknowledge(first, last)
  for _, limit in ipairs(rules and rules.limits or {}) do ended[limit.name] = (ended[limit.name] or 0) + removed end
  missing = missing + last - first + 1 - removed
  at = last + 1
end
for field, entry in pairs(left) do redis.call('HSET', KEYS[1], field, entry) end
if missing > 0 then redis.pcall('INCRBY', KEYS[20], missing) end
free_places(K, ended, lists)
for list, payloads in pairs(lists.freed) do -- the first one is taken next
  for i = #payloads, 1, -1 do
    if has_failed(redis.pcall('RPUSH', list, payloads[i])) then redis.pcall('ZADD', K.freed, 0, payloads[i]) end
  end
end
if done > 0 then
  redis.pcall('INCRBY', KEYS[2], done)
  redis.pcall('INCRBY', KEYS[3], done)
  redis.pcall('EXPIRE', KEYS[3], FIVE_YEARS)
end
local claimed, wanted, number = {}, tonumber(ARGV[1]), tonumber(ARGV[2])
if wanted == 0 then
  save_places(K)
  return { not_ended ~= '' and '\n\n\n' .. not_ended or nil }
end
redis.call('HLEN', KEYS[1]) -- if it is not a hash, this ends the script before a job has left its queue
local run, now, held_back = nil, nil, 0 -- `run`: the rules of the job before
local function may_claim(queue, payload, id)
  local rules = rules_of(payload)
  if not rules and not run then return true end
  if rules == run and run.free > 0 then
    run.free, run.used = run.free - 1, run.used + 1
    return true
  end
  local is_same = rules == run
  if run then end_run(K, R, run) end
  run = rules
  if not rules then return true end
  now = now or now_ms(ARGV[before_names])
  if not admit(K, R, rules, queue, payload, id, now) then return false end
  if is_same then admit_more(K, R, rules, now) end
  return true
end
local bytes, seen, few = 0, 0, 1 -- how many jobs are popped at once: their sizes are not known before, and may differ
local paused = {}
for i = 21, last_queue do
  local name, fields = ARGV[before_names + i - 20], {}
  local is_paused = redis.pcall('SISMEMBER', KEYS[5], name) == 1
  if is_paused then paused[#paused + 1] = '\n' .. name end
  while not is_paused and #claimed < wanted and bytes < MOST_BYTES and held_back < MOST_HELD_BACK do
    local popped = redis.pcall('RPOP', KEYS[i], math.min(few, wanted - #claimed))
    if not popped or popped.err then break end
    for j = 1, #popped do
      local id = '' .. number + #claimed -- as text: Redis formats a number with more digits
      local is_valid, is_admitted = pcall(may_claim, name, popped[j], id) -- an error would lose the jobs that were popped
      if is_admitted or not is_valid then
        local entry = name .. '\n' .. popped[j]
        fields[#fields + 1] = id
        fields[#fields + 1] = entry
        claimed[#claimed + 1] = entry
      else
        held_back = held_back + 1
      end
      bytes, seen = bytes + #popped[j], seen + 1
    end
    few = bytes < USUAL * seen and 16 or bytes < SMALL * seen and 4 or 1
  end
  if #fields > 0 then redis.call('HSET', KEYS[1], unpack(fields)) end
end
if run then end_run(K, R, run) end
save_places(K)
save_rates(R)
if #claimed > 0 then redis.pcall('ZADD', KEYS[4], 'GT', ARGV[4], ARGV[3]) end
if redis.pcall('EXISTS', KEYS[6]) == 1 then claimed[#claimed + 1] = '\n\n' end
for i = 1, #paused do claimed[#claimed + 1] = paused[i] end
if not_ended ~= '' then claimed[#claimed + 1] = '\n\n\n' .. not_ended end
return claimed
