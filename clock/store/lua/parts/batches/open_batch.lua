-- Stores a new batch and adds it to its parent ('': none). Returns 'new', or the state of a batch that was there, or
-- 'no parent'.
local function open_batch(keys, bid, text, parent)
  local batch = read_batch(keys, bid)
  if batch then return batch.state end
  if parent ~= '' then
    if not accepts_children(keys, parent) then return 'no parent' end
    add_child(keys, parent, '@' .. bid)
  end
  redis.call('HSET', keys.batches, bid, text)
  return 'new'
end
