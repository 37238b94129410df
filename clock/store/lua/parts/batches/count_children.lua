-- Counts the children of a batch in a state. '0' is the character after '/'.
local function count_children(keys, bid, state)
  local from = bid .. '/' .. state
  return redis.call('ZLEXCOUNT', keys.children, '[' .. from .. '/', '(' .. from .. '0')
end
