-- Put the parked jobs of a class back into their queues, because a worker knows the class now.
--
-- KEYS[1] list of the class's parked jobs    KEYS[2] set of parked classes
-- KEYS[3] prefix of the queues' lists        KEYS[4] set of queue names
-- ARGV[1] the class    ARGV[2], ... pairs: a parked payload, the name of its queue
-- Returns how many were moved; the class leaves the set when nothing of it is parked any more.
--
-- One script, because a job must never be in both places, or in neither. It is added before it is removed, as a
-- command that fails (a queue that is no list) ends the script and takes nothing back.
local moved = 0
for i = 2, #ARGV, 2 do
  if redis.call('LPOS', KEYS[1], ARGV[i], 'RANK', -1) then
    redis.call('RPUSH', KEYS[3] .. ARGV[i + 1], ARGV[i])
    redis.call('LREM', KEYS[1], -1, ARGV[i])
    redis.call('SADD', KEYS[4], ARGV[i + 1])
    moved = moved + 1
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SREM', KEYS[2], ARGV[1]) end
return moved
