-- Move jobs from in progress to a place that other workers read: a stopping worker's own, or a dead worker's.
--
-- KEYS[1] hash of jobs in progress    KEYS[2] set of queue names    KEYS[3] set of parked classes
-- KEYS[4] sorted set of workers       KEYS[5], ... the six keys of batches
-- KEYS[11..17] of limits (see `limit_keys`)    KEYS[18] hash of locks of unique jobs    KEYS[19] sorted set of replaced
--   jobs
-- KEYS[20], ... for each job its target: a queue's list, the sorted set of dead jobs, or a list of parked jobs
-- ARGV[1] the worker whose jobs they are
-- ARGV[2] now (ms): nothing is moved if the worker's heartbeat has not expired; '' if it moves its own jobs
-- then for each job: its field, what KEYS holds for it ('queue', 'dead' or 'parked'), a name or score, payload, the key
--   of the lock that its end frees ('': none), its jid
-- Returns how many were moved, and the first error of the data of batches (''); then for each job that was not moved:
-- its place in this call and Redis's error. A job that is no longer in progress is left alone.
--
-- One script, because two workers may look after the same dead one, and each job must go one way only; and the
-- worker may come back between check and move. A job leaves last, and a job whose target has a wrong type stays:
-- the others must not wait for it.
local function add(where, key, name, payload)
  if where == 'dead' then
    local added = redis.pcall('ZADD', key, name, payload)
    if not has_failed(added) then try_end_job(batch_keys(5), payload, 'dead', 1000 * name) end
    return added
  end
  if where == 'parked' then return redis.pcall('LPUSH', key, payload) end
  return redis.pcall('RPUSH', key, payload)
end

need('HDEL', KEYS[1], '')
local expires = redis.call('ZSCORE', KEYS[4], ARGV[1])
if ARGV[2] ~= '' and expires and tonumber(expires) >= tonumber(ARGV[2]) then return { 0, '' } end
local reply = { 0, '' }
for place = 1, #KEYS - 19 do
  local at = 6 * place - 3
  local field, where, name = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local payload = ARGV[at + 3]
  if redis.call('HEXISTS', KEYS[1], field) == 1 then
    local added = add(where, KEYS[19 + place], name, payload)
    if has_failed(added) then
      if not string.find(added.err, 'WRONGTYPE', 1, true) then return added end
      reply[#reply + 1] = place
      reply[#reply + 1] = added.err
    else
      if where ~= 'dead' then redis.pcall('SADD', where == 'queue' and KEYS[2] or KEYS[3], name) end
      redis.call('HDEL', KEYS[1], field)
      if ARGV[at + 4] ~= '' then free_lock(KEYS[18], KEYS[19], ARGV[at + 4], ARGV[at + 5]) end
      if may_have(payload, 'limits') then end_holder(limit_keys(11, KEYS[1]), '\n' .. payload) end
      reply[1] = reply[1] + 1
    end
  end
end
reply[2] = not_ended
return reply
