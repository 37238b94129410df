-- Push jobs, each only if it gets its lock, and add them to their batches.
--
-- KEYS[1] hash of locks: key -> "jid|since|until"    KEYS[2] sorted set of locks with a window: key -> its end (ms)
-- KEYS[3] sorted set of replaced jobs: jid -> when (ms)    KEYS[4] set of queue names
-- KEYS[5] sorted set of delayed jobs    KEYS[6], ... the six keys of batches    KEYS[12], ... the lists of the queues
-- ARGV[1] now (ms; '': Redis's time); then for each job: key of its lock ('': none), jid, window (ms; 0: none), 'skip',
--   'raise' or 'replace', the place of its queue among those lists, the queue's name, its payload, its score in KEYS[5]
--   (float seconds; '': now), and the bid of its batch ('': none)
-- Returns for each job '' if it was pushed now or before as a child of the batch, "jid|since|now" of the lock's holder
--   (ms), or '||' if the batch is done or unknown.
--
-- One script, because two programs may push the same job at once, and a crash between lock and push would leave a lock
-- without a job. Locks whose window is over are removed along the way.
local now = now_ms(ARGV[1])
local wrong = refuse_unless_lists(12)
if wrong then return wrong end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 10)) do
  if not lock_holder(KEYS[1], key, now) then redis.call('HDEL', KEYS[1], key) end
  redis.call('ZREM', KEYS[2], key)
end
local reply, keys, accepts = {}, batch_keys(6), { [''] = true }
for at = 2, #ARGV, 9 do
  local list, name, payload, score = KEYS[11 + tonumber(ARGV[at + 4])], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7]
  local lock, jid, bid = ARGV[at], ARGV[at + 1], ARGV[at + 8]
  if accepts[bid] == nil then
    remove_batches(keys, now)
    accepts[bid] = accepts_children(keys, bid)
  end
  local is_known = bid ~= '' and state_of_child(keys, bid, jid) ~= nil
  local holder, since
  if not is_known and accepts[bid] and lock ~= '' then
    holder, since = take_lock(KEYS[1], KEYS[2], KEYS[3], now, unpack(ARGV, at, at + 3))
  end
  if is_known or not accepts[bid] then
    reply[#reply + 1] = is_known and '' or '||'
  elseif holder then
    reply[#reply + 1] = holder .. '|' .. since .. '|' .. string.format('%.0f', now)
  else
    reply[#reply + 1] = ''
    if bid ~= '' then move_child(keys, bid, jid, nil, 'p') end
    push_job(list, KEYS[4], KEYS[5], name, payload, score)
  end
end
return reply
