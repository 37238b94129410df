-- Save the position of a job in progress, and push the jobs that its items have made.
--
-- KEYS[1] hash of jobs in progress    KEYS[2] set of queue names    KEYS[3] sorted set of delayed jobs
-- KEYS[4], ... the six keys of batches    KEYS[10], ... the lists of the queues that jobs are pushed to
-- ARGV[1] the job's number    ARGV[2] "queue\npayload" with the position
-- then for each job to push: the place of its queue among those lists, the queue's name, its payload, its score
--   in KEYS[3] (float seconds; '': it is enqueued now), the bid of its batch ('': none), and its jid
-- Returns 1, or 0 if the job is no longer in progress here: another worker took it, and nothing was written.
--
-- One script, because a crash between the pushes and the position would push the jobs twice, or not at all. If the
-- position is saved already, an answer was lost and the call repeated: nothing is pushed again.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then return 0 end
if held == ARGV[2] then return 1 end
local wrong = refuse_unless_lists(10)
if wrong then return wrong end
need('HSET', KEYS[1], '0', '')
local keys = batch_keys(4)
for at = 3, #ARGV, 6 do
  local bid, jid = ARGV[at + 4], ARGV[at + 5]
  if bid == '' or add_child(keys, bid, jid) then
    push_job(KEYS[9 + tonumber(ARGV[at])], KEYS[2], KEYS[3], unpack(ARGV, at + 1, at + 3))
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
