-- Seals an open batch: it is done when no child is pending. Returns the state before, or nothing if the batch is
-- unknown. `now` is in ms.
local function seal_batch(keys, bid, now)
  local batch = read_batch(keys, bid)
  if not batch then return end
  local before = batch.state
  if before == 'open' then
    batch.state = 'sealed'
    redis.call('HSET', keys.batches, bid, cjson.encode(batch))
  end
  settle_batch(keys, bid, now)
  return before
end
