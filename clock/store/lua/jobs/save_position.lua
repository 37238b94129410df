-- Save the position of a job in progress, and push the jobs that its items have made.
--
-- KEYS[1] hash of jobs in progress    KEYS[2] set of queue names    KEYS[3] sorted set of delayed jobs
-- KEYS[4], ... the six keys of batches    KEYS[10] hash of locks    KEYS[11] sorted set of locks with a window
-- KEYS[12] sorted set of replaced jobs    KEYS[13], ... the lists of the queues that jobs are pushed to
-- ARGV[1] the job's number    ARGV[2] "queue\npayload" with the position    ARGV[3] now (ms; '': Redis's time)
-- then for each job to push: the place of its queue among those lists, the queue's name, its payload, its score
--   in KEYS[3] (float seconds; '': it is enqueued now), the bid of its batch ('': none), the key of its lock ('': none),
--   its jid, window (ms) and the conflict rule. It is not pushed if another job holds the lock.
-- Returns 1, or 0 if the job is no longer in progress here: another worker took it, and nothing was written.
--
-- One script, because a crash between the pushes and the position would push the jobs twice, or not at all. If the
-- position is saved already, an answer was lost and the call repeated: nothing is pushed again. Redis takes no push
-- back, so all that can fail is done before the first one. A lock that is taken twice by the same job changes nothing.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then return 0 end
if held == ARGV[2] then return 1 end

local function any(offset) -- whether a job to push has this argument
  for at = 4 + offset, #ARGV, 9 do
    if ARGV[at] ~= '' then return true end
  end
end

local hashes, sets = {}, {} -- places of KEYS
if any(3) then sets[1] = 3 end
if any(4) then sets[#sets + 1] = 5 end
if any(5) then
  hashes[1], sets[#sets + 1], sets[#sets + 2] = 10, 11, 12
end
local wrong = refuse_unless_lists(13) or refuse_unless('hash', hashes) or refuse_unless('zset', sets)
if wrong then return wrong end
need('HSET', KEYS[1], '0', '')
for _, place in ipairs(sets) do need('ZADD', KEYS[place], '0', '') end

local keys, pushed = batch_keys(4), {}
for at = 4, #ARGV, 9 do
  local bid, lock, jid = unpack(ARGV, at + 4, at + 6)
  local is_new = bid == '' or not state_of_child(keys, bid, jid)
  local now = is_new and lock ~= '' and now_ms(ARGV[3])
  local holder = now and take_lock(KEYS[10], KEYS[11], KEYS[12], now, unpack(ARGV, at + 5, at + 8))
  if is_new and not holder then pushed[#pushed + 1] = at end
end
for _, at in ipairs(pushed) do
  local bid, _, jid = unpack(ARGV, at + 4, at + 6)
  if bid ~= '' then move_child(keys, bid, jid, nil, 'p') end
  push_job(KEYS[12 + tonumber(ARGV[at])], KEYS[2], KEYS[3], unpack(ARGV, at + 1, at + 3))
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
