-- Returns a table, or nothing if the batch is unknown, or another program wrote it. Some servers cannot encode a number
-- such as 1e400 again.
local function read_batch(keys, bid)
  local stored = redis.call('HGET', keys.batches, bid) or ''
  local is_json, batch = pcall(cjson.decode, stored)
  if is_json and string.find(stored, '%d[eE]%+?%d%d%d') and not pcall(cjson.encode, batch) then return end
  if is_json and type(batch) == 'table' and type(batch.callbacks) == 'table' and type(batch.fired) == 'table' then
    return batch
  end
end
