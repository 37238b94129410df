-- Remove jobs from a part of a queue.
--
-- KEYS[1] the queue's list    KEYS[2], ... the six keys of batches
-- ARGV[1], ARGV[2] the part: two indexes from one end, both below 0 or neither    ARGV[3] now (ms)
-- ARGV[4] 'deleted' or 'cancelled'    ARGV[5], ... the payloads
-- Returns the places, from 1, of the payloads that were there.
--
-- One script, because a worker must never see the marks. LREM of each payload would compare each job up to it; a
-- mark is set at its index at once, and one LREM from the nearer end takes all marks out. LTRIM removes nothing: a
-- server whose memory is full refuses LSET unless a command that frees memory came before it.
local MARK = 'removed by clock'
local key, places, found = KEYS[1], {}, {}
for i = 5, #ARGV do
  places[ARGV[i]] = places[ARGV[i]] or {}
  table.insert(places[ARGV[i]], i - 4)
end
redis.call('LTRIM', key, 0, -1)
local part = redis.call('LRANGE', key, ARGV[1], ARGV[2])
local left, right = tonumber(ARGV[1]), tonumber(ARGV[2])
for i = #part, 1, -1 do
  local place = places[part[i]] and table.remove(places[part[i]])
  if place then
    redis.call('LSET', key, left < 0 and right - (#part - i) or left + i - 1, MARK)
    found[#found + 1] = place
    pcall(end_job, batch_keys(2), part[i], ARGV[4], tonumber(ARGV[3]))
  end
end
if #found > 0 then
  local length = redis.call('LLEN', key)
  local is_left = left < 0 and -right > length / 2 or left >= 0 and left < length / 2
  redis.call('LREM', key, is_left and #found or -#found, MARK)
end
return found
