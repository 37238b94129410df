-- Free the locks of unique jobs that have ended, were deleted, or are gone.
--
-- KEYS[1] hash of locks    KEYS[2] sorted set of replaced jobs
-- ARGV[1], ... pairs: key, jid
-- Returns for each pair 1 if its lock was freed, 0 if it was not held by this job.
--
-- One script, because a lock that another job has taken in between must stay.
local reply = {}
for at = 1, #ARGV, 2 do
  reply[#reply + 1] = free_lock(KEYS[1], KEYS[2], ARGV[at], ARGV[at + 1]) and 1 or 0
end
return reply
