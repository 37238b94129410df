-- Put parked jobs of a class back into their queues, because a worker knows the class now.
--
-- KEYS[1] list of the class's parked jobs    KEYS[2] set of parked classes    KEYS[3] set of queue names
-- KEYS[4], ... for each job the list of its queue
-- ARGV[1] the class    ARGV[2], ... pairs: a parked payload, the name of its queue
-- Returns how many were moved, and the keys that are no lists, so that jobs could not be moved there. The class leaves the set when nothing of it
-- is parked any more.
--
-- One script, because a job must never be in both places, or in neither. It is added before it is removed. A job
-- whose queue is no list goes to the left end, so that those behind it come next.
local moved, wrong = 0, {}
for job = 1, #KEYS - 3 do
  local payload, name = ARGV[2 * job], ARGV[2 * job + 1]
  if redis.call('LPOS', KEYS[1], payload, 'RANK', -1) then
    local pushed = redis.pcall('RPUSH', KEYS[3 + job], payload)
    if type(pushed) ~= 'number' and not string.find(pushed.err, 'WRONGTYPE', 1, true) then return pushed end
    redis.call('LREM', KEYS[1], -1, payload)
    if type(pushed) == 'number' then
      redis.pcall('SADD', KEYS[3], name)
      moved = moved + 1
    else
      redis.call('LPUSH', KEYS[1], payload)
      wrong[#wrong + 1] = KEYS[3 + job]
    end
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SREM', KEYS[2], ARGV[1]) end
return { moved, wrong }
