-- Choose the shard that a worker process serves, and keep its claim on it.
--
-- KEYS[1], KEYS[2], ... the claims of each shard, the home's first: sorted sets, process -> when its claim ends (ms)
-- ARGV[1] name of the process  ARGV[2] for how long its claim holds (ms)
-- ARGV[3] place of the shard that it serves (from 1; 0: it starts)  ARGV[4] '1': it may move to another shard
-- Returns the place of the shard that it must serve.
--
-- A process that starts gets the shard that its name has a claim on already, or else the one with the fewest
-- processes. A process moves only if its shard has two processes more than another one, or is gone. The times are
-- those of this server, as all claims are here.
-- One script, because of several processes that start at the same time each must see the claims of the others.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local others, held, least = {}, 0, 1
for place, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  others[place] = redis.call('ZCARD', key)
  if redis.call('ZSCORE', key, ARGV[1]) then
    others[place] = others[place] - 1
    held = place
  end
  if others[place] < others[least] then least = place end
end
local serves = tonumber(ARGV[3])
local chosen = serves > 0 and serves or held
if not others[chosen] then
  chosen = least
elseif ARGV[4] == '1' and others[chosen] > others[least] then
  chosen = least
end
if held > 0 and held ~= chosen then redis.call('ZREM', KEYS[held], ARGV[1]) end
redis.call('ZADD', KEYS[chosen], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[chosen], ARGV[2])
return chosen
