-- Pushes the callback of an event of a batch, if it was not pushed before. `now` is in ms. The batch is stored.
local function fire_callback(keys, bid, batch, event, now)
  if batch.fired[event] then return end
  if type(batch.callbacks[event]) == 'string' then push_later(keys, now / 1000, batch.callbacks[event]) end
  batch.fired[event] = now
  redis.call('HSET', keys.batches, bid, cjson.encode(batch))
end
