-- Adds a job to the delayed jobs, due at `at` (float seconds). A worker moves it to its queue. So a script that ends
-- one job can push another without the key of its queue.
local function push_later(keys, at, payload)
  redis.call('ZADD', keys.schedule, string.format('%.3f', at), payload)
  redis.pcall('PUBLISH', keys.nearer, '')
end
