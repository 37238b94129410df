-- Remove the oldest dead jobs: those beyond an age, and those beyond a number.
--
-- KEYS[1] sorted set of dead jobs
-- ARGV[1] members with a lower score are removed (float seconds)    ARGV[2] how many members are kept
-- ARGV[3] how many to remove in this step at most
-- Returns how many were removed by age, and how many by number.
--
-- One script, because jobs that are added between counting and removing would move the ranks.
local most = tonumber(ARGV[3])
local by_age = math.min(most, redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[1]))
local beyond = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[2]) - by_age
local by_number = math.max(0, math.min(most - by_age, beyond))
if by_age + by_number > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, by_age + by_number - 1) end
return { by_age, by_number }
