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
-- queue that is paused, and "\n\n" if there are cancelled jobs; then, after "\n\n\n", the first error of the data of
-- batches: the jobs concerned stay in progress; last, after "\n\n\n\n", the claimed jobs with limits, as runs with the
-- same limits: the place of the first job, from 0, and the place behind the last one.
--
-- One script, because a job must at every instant be in its queue or in progress; acknowledging goes along to
-- save the round trip. A worker that claims is alive: the script adds it to the set of workers, so others look for
-- its jobs. A queue whose key is not a list is skipped: the jobs of the other queues must not wait for it. A counter
-- that holds no number counts nothing. A job that a limit or a rate holds back is not claimed: `admit()` moves it.
local MOST_BYTES = 1000000 -- of payloads in one call, unless the first job has more: a few ms
local MOST_HELD_BACK = 1000 -- by limits and rates in one call: about 10 ms
local USUAL, SMALL = 1024, 16384 -- bytes of a job: of such, 16 and 4 are popped at once
-- To format a number costs Redis as much as a command, so the usual numbers are texts.
local AS_TEXT = { [1] = '1', [4] = '4', [16] = '16' }
local DIGITS = { [0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' }
local find = string.find -- a local name is faster, and this runs for each job
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
  local rules = ARGV[at] ~= '' and next(left) == nil and rules_at_start(ARGV[at])
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
if done > 0 then count_jobs(KEYS[2], KEYS[3], done) end
local claimed, count, wanted, number = {}, 0, tonumber(ARGV[1]), tonumber(ARGV[2]) -- `count`: of those claimed
if wanted == 0 then
  save_places(K)
  return { not_ended ~= '' and '\n\n\n' .. not_ended or nil }
end
redis.call('HLEN', KEYS[1]) -- if it is not a hash, this ends the script before a job has left its queue
local run, free, used = nil, 0, 0 -- the rules of the job before; how many more such jobs may be claimed, and were
local limited, first_limited = {}, nil -- the runs that are returned; the place of the first job of the present one
local now, held_back = nil, 0
local function change_run(rules)
  if run then end_run(K, R, run, used) end
  free, used = 0, 0
  if rules == run then return end
  if first_limited then
    limited[#limited + 1] = first_limited
    limited[#limited + 1] = count
  end
  run, first_limited = rules, nil
end
local function may_claim(queue, payload, rules)
  local is_same = rules == run
  if is_same and free > 0 then
    free, used = free - 1, used + 1
    return true
  end
  change_run(rules)
  if not rules then return true end
  if rules.rates[1] then now = now or now_ms(ARGV[before_names]) end
  if not admit(K, R, rules, queue, payload, number + count, now) then return false end
  if is_same then free = admit_more(K, R, rules, now) end
  if rules.limits[1] then first_limited = first_limited or count end
  return true
end
local at, fields, is_checked, tens = 0, nil, true, '' -- `at`: the place in `popped` of the job that is looked at
local function claim_each(popped, queue, prefix)
  for place = at + 1, #popped do
    local payload, is_claimed = popped[place], true
    at = place
    if free > 0 and has_latest_rules(payload) then
      free, used = free - 1, used + 1
    elseif run or is_checked and find(payload, 'limits"', 1, true) then
      is_claimed = may_claim(queue, payload, is_checked and rules_of(payload) or nil)
    end
    if is_claimed then
      local entry, digit = prefix .. payload, (number + count) % 10
      if digit == 0 then tens = '' .. (number + count) / 10 end
      count = count + 1
      claimed[count] = entry
      fields[#fields + 1] = tens .. DIGITS[digit]
      fields[#fields + 1] = entry
    else
      held_back = held_back + 1
    end
    is_checked = true
  end
end
if number > 9 then tens = '' .. (number - number % 10) / 10 end
local bytes, seen, few = 0, 0, 1 -- how many jobs are popped at once: their sizes are not known before, and may differ
local paused = {}
for i = 21, last_queue do
  local name = ARGV[before_names + i - 20]
  fields = {}
  local is_paused = redis.pcall('SISMEMBER', KEYS[5], name) == 1
  if is_paused then paused[#paused + 1] = '\n' .. name end
  while not is_paused and count < wanted and bytes < MOST_BYTES and held_back < MOST_HELD_BACK do
    local popped = redis.pcall('RPOP', KEYS[i], wanted - count < few and wanted - count or AS_TEXT[few])
    if not popped or popped.err then break end
    at = 0
    while true do
      local is_done, problem = pcall(claim_each, popped, name, name .. '\n')
      if is_done then break end
      if not is_checked then error(problem) end
      if not pcall(change_run, nil) then run, free, used, first_limited = nil, 0, 0, nil end
      at, is_checked = at - 1, false -- an error would lose the jobs that were popped: this one is claimed
    end
    for j = 1, #popped do bytes = bytes + #popped[j] end
    seen = seen + #popped
    few = bytes < USUAL * seen and 16 or bytes < SMALL * seen and 4 or 1
  end
  if #fields > 0 then redis.call('HSET', KEYS[1], unpack(fields)) end
end
change_run(nil)
save_places(K)
save_rates(R)
if count > 0 then redis.pcall('ZADD', KEYS[4], 'GT', ARGV[4], ARGV[3]) end
if redis.pcall('EXISTS', KEYS[6]) == 1 then claimed[#claimed + 1] = '\n\n' end
for i = 1, #paused do claimed[#claimed + 1] = paused[i] end
if not_ended ~= '' then claimed[#claimed + 1] = '\n\n\n' .. not_ended end
if #limited > 0 then claimed[#claimed + 1] = '\n\n\n\n' .. table.concat(limited, ' ') end
return claimed
