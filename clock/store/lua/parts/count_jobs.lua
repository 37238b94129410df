-- Adds `count` to a counter of jobs and to that of today, which is kept for five years. A counter that holds no number
-- counts nothing.
local function count_jobs(ever, today, count)
  redis.pcall('INCRBY', ever, count)
  redis.pcall('INCRBY', today, count)
  redis.pcall('EXPIRE', today, 157680000)
end
