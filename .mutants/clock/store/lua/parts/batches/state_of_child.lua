-- Part of every script that calls `state_of_child`. Not a script itself: it has no KEYS[1]. Returns 'p', 's', 'f', or
-- nothing if the batch has no such child.
local function state_of_child(keys, bid, jid)
  for _, state in ipairs({ 'p', 's', 'f' }) do
    if redis.call('ZSCORE', keys.children, bid .. '/' .. state .. '/' .. jid) then return state end
  end
end

