-- Removes a part of the data of a batch that ended long ago: 1000 children at most. `now` is in ms.
local function remove_batches(keys, now)
  local due = redis.call('ZRANGEBYSCORE', keys.removals, '-inf', now, 'LIMIT', 0, 1)[1]
  if not due then return end
  local bid = string.sub(due, 3)
  local found = redis.call('ZRANGEBYLEX', keys.children, '[' .. bid .. '/', '(' .. bid .. '0', 'LIMIT', 0, 1000)
  local start = #bid + 2
  for _, member in ipairs(found) do
    redis.call('ZREM', keys.children, member)
    if string.sub(member, start, start) == 'f' then
      redis.call('HDEL', keys.ended, bid .. '/' .. string.sub(member, start + 2))
    end
  end
  if #found == 1000 then return end
  redis.call('ZREM', keys.removals, due)
  if string.sub(due, 1, 1) == 'a' then redis.call('HDEL', keys.batches, bid) end
end
