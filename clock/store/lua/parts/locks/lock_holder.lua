-- The locks are a hash: key of a unique job -> "jid|since|until", times in ms; until 0: as long as the job lives.
-- Returns the jid that holds a lock and since when (ms, as text), or nothing.
local function lock_holder(locks, key, now)
  local value = redis.call('HGET', locks, key)
  local jid, since, ends = string.match(value or '', '^(.*)|(%d+)|(%d+)$')
  if jid and (ends == '0' or tonumber(ends) > now) then return jid, since end
end
