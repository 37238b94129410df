-- Correct the children of batches that other programs have removed, or brought back.
--
-- KEYS[1], ... the six keys of batches
-- ARGV[1] now (ms); then for each child: bid, jid, its class, 'lost' or 'living'
-- Returns how many were changed.
--
-- One script, because the child may end at the same time.
local keys, changed = batch_keys(1), 0
for at = 2, #ARGV, 4 do
  local bid, jid, class, status = unpack(ARGV, at, at + 3)
  local was = state_of_child(keys, bid, jid)
  if status == 'lost' and was == 'p' then
    end_child(keys, bid, jid, 'lost', class, tonumber(ARGV[1]))
    changed = changed + 1
  elseif status == 'living' and was == 'f' then
    revive_child(keys, bid, jid)
    changed = changed + 1
  elseif status == 'living' and not was and accepts_children(keys, bid) then
    move_child(keys, bid, jid, nil, 'p')
    changed = changed + 1
  end
end
return changed
