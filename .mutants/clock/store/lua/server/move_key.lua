-- Move a key to another name, or what it holds to the key that is there already: one bounded step.
--
-- KEYS[1] the key    KEYS[2] its new name    ARGV[1] how many elements to move in this step at most
-- Returns how many elements are left (0: all is moved), or -1 if both keys exist and cannot be joined.
--
-- Lists, sets, sorted sets and counters are joined: a process that still pushes under the old name, or already under
-- the new one, loses nothing. Hashes and streams of two applications are not.
-- One script, because a crash between taking a job out and adding it would lose it.
local from, to, most = KEYS[1], KEYS[2], tonumber(ARGV[1])
local kind, there = redis.call('TYPE', from).ok, redis.call('TYPE', to).ok
if kind == 'none' then return 0 end
if there == 'none' then
  redis.call('RENAME', from, to)
  return 0
end
if kind ~= there then return -1 end
if kind == 'list' then
  for _ = 1, most do
    if not redis.call('LMOVE', from, to, 'RIGHT', 'LEFT') then break end
  end
  return redis.call('LLEN', from)
elseif kind == 'zset' then
  need('ZADD', to, '0', '')
  local popped = redis.call('ZPOPMIN', from, most)
  for i = 1, #popped, 2 do redis.call('ZADD', to, popped[i + 1], popped[i]) end
  return redis.call('ZCARD', from)
elseif kind == 'set' then
  redis.call('SUNIONSTORE', to, to, from)
  redis.call('UNLINK', from)
  return 0
elseif kind == 'string' and tonumber(redis.call('GET', from)) and tonumber(redis.call('GET', to)) then
  redis.call('INCRBY', to, redis.call('GET', from))
  redis.call('UNLINK', from)
  return 0
end
return -1
