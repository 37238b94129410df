-- Remove jobs from a queue: its list is turned once round, and what is to go is dropped on the way.
--
-- KEYS[1] the queue's list    ARGV[1], ... the payloads
-- Returns how many were still there.
--
-- One script, because a worker must never see the list half turned. LREM of each payload would look at the whole
-- list each time. LTRIM takes nothing off: a server whose memory is full refuses LMOVE unless something that frees
-- memory came before it, and that is when jobs are deleted.
local key, wanted, missing = KEYS[1], {}, #ARGV
for _, payload in ipairs(ARGV) do wanted[payload] = (wanted[payload] or 0) + 1 end
redis.call('LTRIM', key, 0, -1)
local ahead, turned = redis.call('LLEN', key), 0
while missing > 0 and ahead > 0 do
  local payload = redis.call('LMOVE', key, key, 'RIGHT', 'LEFT')
  ahead = ahead - 1
  if (wanted[payload] or 0) > 0 then
    redis.call('LPOP', key)
    wanted[payload], missing = wanted[payload] - 1, missing - 1
  else
    turned = turned + 1
  end
end
local from, to, moves = 'RIGHT', 'LEFT', ahead
if turned < ahead then from, to, moves = 'LEFT', 'RIGHT', turned end
for _ = 1, moves do redis.call('LMOVE', key, key, from, to) end
return #ARGV - missing
