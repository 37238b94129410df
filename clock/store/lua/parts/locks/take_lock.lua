-- Takes a lock for a jid. Returns nothing, or the holder's jid and the time of its push (ms, as text).
--
-- With 'replace' the lock always moves to the new job, and the old job is noted: its worker drops it.
local function take_lock(locks, windows, replaced, now, key, jid, window, conflict)
  local holder, since = lock_holder(locks, key, now)
  if holder and holder ~= jid then
    if conflict ~= 'replace' then return holder, since end
    redis.call('ZADD', replaced, now, holder)
  end
  local ends = tonumber(window) > 0 and string.format('%.0f', now + tonumber(window)) or '0'
  redis.call('HSET', locks, key, jid .. '|' .. string.format('%.0f', now) .. '|' .. ends)
  if ends ~= '0' then redis.call('ZADD', windows, ends, key) end
end
