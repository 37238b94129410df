-- Part of every script that calls `read_batch`. Not a script itself: it has no KEYS[1]. Returns a table, or nothing if
-- the batch is unknown, or another program wrote it.
local function read_batch(keys, bid)
  local is_json, batch = pcall(cjson.decode, redis.call('HGET', keys.batches, bid) or '')
  if is_json and type(batch) == 'table' and type(batch.callbacks) == 'table' and type(batch.fired) == 'table' then
    return batch
  end
end

