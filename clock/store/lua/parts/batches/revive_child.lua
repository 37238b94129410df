-- Notes that a child of a batch that had failed is alive again, and so is the batch for its parent.
local function revive_child(keys, bid, jid)
  while bid and state_of_child(keys, bid, jid) == 'f' do
    move_child(keys, bid, jid, 'f', 'p')
    local batch = read_batch(keys, bid)
    jid = '@' .. bid
    bid = batch and type(batch.parent) == 'string' and batch.parent
  end
end
