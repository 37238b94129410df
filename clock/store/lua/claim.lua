-- Acknowledge finished jobs, and claim more.
--
-- KEYS[1] hash of this process's jobs in progress: number -> "queue\npayload"
-- KEYS[2] counter of jobs processed ever    KEYS[3] the same of today
-- KEYS[4] sorted set of workers    KEYS[5], ... queues, in their order
-- ARGV[1] how many to claim at most    ARGV[2] number of the first one claimed
-- ARGV[3] this worker's identity    ARGV[4] when it may be taken for dead (ms), unless it is heard of
-- ARGV[5] how many to acknowledge    ARGV[6], ... their numbers, then the names of the queues
-- Returns a flat list: "queue\npayload" for each claimed job; their numbers follow ARGV[2].
--
-- One script, because a job must at every instant be in its queue or in progress; acknowledging goes along to
-- save the round trip. Who claims lives, and is in the set of workers from then on, so that others look for its
-- jobs. A queue that is no list is passed over: the jobs of the others must not wait for it.
local FIVE_YEARS = 157680000
local acknowledged = tonumber(ARGV[5])
if acknowledged > 0 then
  local done = redis.call('HDEL', KEYS[1], unpack(ARGV, 6, 5 + acknowledged))
  redis.call('INCRBY', KEYS[2], done)
  redis.call('INCRBY', KEYS[3], done)
  redis.call('EXPIRE', KEYS[3], FIVE_YEARS)
end
local claimed, wanted, number = {}, tonumber(ARGV[1]), tonumber(ARGV[2])
for i = 5, #KEYS do
  if #claimed >= wanted then break end
  local name, fields = ARGV[acknowledged + i + 1], {}
  for _, payload in ipairs(redis.pcall('RPOP', KEYS[i], wanted - #claimed) or {}) do
    local entry = name .. '\n' .. payload
    fields[#fields + 1] = string.format('%.0f', number + #claimed)
    fields[#fields + 1] = entry
    claimed[#claimed + 1] = entry
  end
  if #fields > 0 then redis.call('HSET', KEYS[1], unpack(fields)) end
end
if #claimed > 0 then redis.call('ZADD', KEYS[4], 'GT', ARGV[4], ARGV[3]) end
return claimed
