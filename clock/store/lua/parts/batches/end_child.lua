-- Notes that a child of a batch has ended: `status` is 'done', 'dead', or another word. A child that ends twice changes
-- nothing the second time; a dead one may still succeed. `now` is in ms.
local function end_child(keys, bid, jid, status, class, now)
  local was = state_of_child(keys, bid, jid)
  if not was then return end
  if was ~= 's' then move_child(keys, bid, jid, was, status == 'done' and 's' or 'f', status .. ' ' .. class) end
  local above = status == 'dead' and bid
  while above do
    local batch = read_batch(keys, above)
    if batch then fire_callback(keys, above, batch, 'death', now) end
    above = batch and type(batch.parent) == 'string' and batch.parent
  end
  settle_batch(keys, bid, now)
end
