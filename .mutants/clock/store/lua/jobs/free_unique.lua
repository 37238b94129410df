-- Free the locks of unique jobs that have ended, were deleted, or are gone.
--
-- KEYS[1] hash of locks    KEYS[2] sorted set of replaced jobs
-- ARGV[1], ... pairs: key, jid
-- Returns nothing.
--
-- One script, because a lock that another job has taken in between must stay.
for at = 1, #ARGV, 2 do free_lock(KEYS[1], KEYS[2], ARGV[at], ARGV[at + 1]) end
