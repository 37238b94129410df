-- Carries out the end of a job by its payload, which other lines may precede: a job that is done pushes its `then`,
-- and a child of a batch ends. `status` is 'done', 'dead', or another word; 'living': a dead job runs again. `now` is in ms.
local function end_job(keys, payload, status, now)
  if not may_have(payload, 'bid') and not may_have(payload, 'then') then return end
  local is_json, job = pcall(cjson.decode, payload)
  for _ = 1, is_json and 0 or 3 do -- so many lines precede the payload of a blocked job
    payload = string.match(payload, '\n(.*)') or ''
    is_json, job = pcall(cjson.decode, payload)
    if is_json then break end
  end
  if not is_json or type(job) ~= 'table' then return end
  redis.call('ZREM', keys.children, '') -- a server whose memory is full refuses commands only before the first write
  for _, key in ipairs({ keys.batches, keys.ended }) do redis.call('HLEN', key) end -- a wrong type ends this before, too
  for _, key in ipairs({ keys.removals, keys.schedule }) do redis.call('ZCARD', key) end
  local next_job, bid = job['then'], job.bid
  if status == 'done' and type(next_job) == 'table' and type(next_job.payload) == 'string' then
    local at = tonumber(next_job.at) or now / 1000 + (tonumber(next_job.wait) or 0)
    if not (math.abs(at) < 1e15) then at = now / 1000 end -- another program wrote NaN or infinity
    push_later(keys, at, next_job.payload)
    local batch, jid = next_job.bid, next_job.jid
    if type(batch) == 'string' and type(jid) == 'string' then add_child(keys, batch, jid) end
  end
  if type(bid) ~= 'string' or type(job.jid) ~= 'string' then return end
  if status == 'living' then return revive_child(keys, bid, job.jid) end
  end_child(keys, bid, job.jid, status, tostring(job.class), now)
end
