-- Frees the lock of a job that has ended, unless it lasts for a window, or another job holds it now. So a lock that is
-- freed twice changes nothing the second time. Returns true if it was freed.
local function free_lock(locks, replaced, key, jid)
  redis.pcall('ZREM', replaced, jid)
  local value = redis.pcall('HGET', locks, key)
  if type(value) == 'string' and string.match(value, '^(.*)|%d+|0$') == jid then
    return redis.pcall('HDEL', locks, key) == 1
  end
end
