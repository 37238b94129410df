-- Pushes one job: to the list of its queue, whose `name` is added to the set `queues`; or, with a `score` (float
-- seconds; '': none), to the sorted set `schedule`.
local function push_job(list, queues, schedule, name, payload, score)
  if score ~= '' then return redis.call('ZADD', schedule, score, payload) end
  redis.call('LPUSH', list, payload)
  redis.pcall('SADD', queues, name)
end
