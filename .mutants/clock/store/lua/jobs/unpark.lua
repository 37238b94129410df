-- Put parked jobs of a class back into their queues, because a worker knows the class now.
--
-- KEYS[1] list of the class's parked jobs    KEYS[2] set of parked classes    KEYS[3] set of queue names
-- KEYS[4], ... for each job the list of its queue
-- ARGV[1] the class    ARGV[2], ... pairs: a parked payload, the name of its queue; the last one is the oldest,
--   at the list's right end
-- Returns how many were moved, and the keys that are not lists: no job moved there. The class
-- leaves the set when nothing of it is parked any more.
--
-- One script, because a job must never be in both places, or in neither. A payload that is not at the right end was
-- moved by another worker: it and those before it are left alone. A job whose queue is not a list goes to the left
-- end, so those behind it come next.
local jobs = #KEYS - 3
need('LPUSH', KEYS[1], '')
for job = 1, jobs do need('RPUSH', KEYS[3 + job], '') end
local first = jobs + 1
while first > 1 and redis.call('LINDEX', KEYS[1], -1) == ARGV[2 * first - 2] do
  redis.call('RPOP', KEYS[1])
  first = first - 1
end
local moved, wrong = 0, {}
for job = first, jobs do
  local key, payload = KEYS[3 + job], ARGV[2 * job]
  local kind = redis.call('TYPE', key).ok
  if kind == 'list' or kind == 'none' then
    redis.call('RPUSH', key, payload)
    redis.pcall('SADD', KEYS[3], ARGV[2 * job + 1])
    moved = moved + 1
  else
    redis.call('LPUSH', KEYS[1], payload)
    wrong[#wrong + 1] = key
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SREM', KEYS[2], ARGV[1]) end
return { moved, wrong }
