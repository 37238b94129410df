-- Gives a child of a batch the state 'p', 's' or 'f'. `was` is its state, or nil: it is added. `note` is how it ended.
local function move_child(keys, bid, jid, was, state, note)
  if was then redis.call('ZREM', keys.children, bid .. '/' .. was .. '/' .. jid) end
  redis.call('ZADD', keys.children, 0, bid .. '/' .. state .. '/' .. jid)
  if state == 'f' then
    redis.call('HSET', keys.ended, bid .. '/' .. jid, note)
  elseif was == 'f' then
    redis.call('HDEL', keys.ended, bid .. '/' .. jid)
  end
end
