-- Ends a sealed batch if no child is pending, pushes its callbacks, and then looks at its parent. A batch that was
-- settled before changes nothing, unless a child that had failed has succeeded since. `now` is in ms.
local function settle_batch(keys, bid, now)
  local DAY = 86400000
  while bid and count_children(keys, bid, 'p') == 0 do
    local batch = read_batch(keys, bid)
    if not batch or batch.state == 'open' or batch.fired.success then return end
    local failed = count_children(keys, bid, 'f')
    batch.total = failed + count_children(keys, bid, 's')
    batch.state = 'done'
    fire_callback(keys, bid, batch, 'complete', now)
    if failed == 0 then
      fire_callback(keys, bid, batch, 'success', now)
      redis.call('ZADD', keys.removals, now, 's:' .. bid) -- no child can run again
    end
    redis.call('ZADD', keys.removals, now + (failed == 0 and 7 or 180) * DAY, 'a:' .. bid)
    local parent = type(batch.parent) == 'string' and batch.parent
    local was = parent and state_of_child(keys, parent, '@' .. bid)
    if not was then return end
    move_child(keys, parent, '@' .. bid, was, failed == 0 and 's' or 'f', 'failed batch')
    bid = parent
  end
end
