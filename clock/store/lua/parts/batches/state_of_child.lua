-- Returns 'p', 's', 'f', or nothing if the batch has no such child.
local function state_of_child(keys, bid, jid)
  for _, state in ipairs({ 'p', 's', 'f' }) do
    if redis.call('ZSCORE', keys.children, bid .. '/' .. state .. '/' .. jid) then return state end
  end
end
