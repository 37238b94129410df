-- Adds a job to the children of its batch. False: it was added before.
local function add_child(keys, bid, jid)
  if state_of_child(keys, bid, jid) then return false end
  move_child(keys, bid, jid, nil, 'p')
  return true
end
