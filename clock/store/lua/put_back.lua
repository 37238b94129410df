-- Move jobs from in progress to where others find them: a stopping worker's own, or a dead worker's.
--
-- KEYS[1] hash of jobs in progress    KEYS[2] prefix of the queues' lists    KEYS[3] set of queue names
-- KEYS[4] sorted set of dead jobs     KEYS[5] prefix of the lists of parked jobs    KEYS[6] set of parked classes
-- KEYS[7] sorted set of workers
-- ARGV[1] how many dead jobs are kept    ARGV[2] the worker whose jobs they are
-- ARGV[3] now (ms): nothing is moved if the worker was heard of, and so lives; '' where it does so itself
-- then for each job: its number, its entry as it was read, where it goes, a name or score, payload.
--   'queue' NAME: the right end of the queue, next to be taken    'dead' SCORE    'parked' CLASS
-- Returns how many were moved; an entry that has changed or gone is left alone.
--
-- One script, because two workers may look after the same dead one, and each job must go one way only; and the
-- worker may come back between looking and moving. A job leaves last, as a command that fails (a key of a wrong
-- type) ends the script and takes nothing back.
local moved = 0
local expires = redis.call('ZSCORE', KEYS[7], ARGV[2])
if ARGV[3] ~= '' and expires and tonumber(expires) >= tonumber(ARGV[3]) then return 0 end
for i = 4, #ARGV, 5 do
  local number, entry, where, name, payload = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  if redis.call('HGET', KEYS[1], number) == entry then
    if where == 'queue' then
      redis.call('SADD', KEYS[3], name)
      redis.call('RPUSH', KEYS[2] .. name, payload)
    elseif where == 'parked' then
      redis.call('SADD', KEYS[6], name)
      redis.call('LPUSH', KEYS[5] .. name, payload)
    else
      redis.call('ZADD', KEYS[4], name, payload)
      redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -1 - ARGV[1])
    end
    redis.call('HDEL', KEYS[1], number)
    moved = moved + 1
  end
end
return moved
