-- Whether children may be added to a batch: until it is done, or as long as one of its children lives.
local function accepts_children(keys, bid)
  local batch = read_batch(keys, bid)
  return batch ~= nil and (batch.state ~= 'done' or count_children(keys, bid, 'p') > 0)
end
