-- Compare the places that a worker's jobs hold with its jobs in progress, for some limits; correct them if asked to.
--
-- KEYS[1], ..., KEYS[7] of limits (see `limit_keys`)    KEYS[8] hash of the worker's jobs in progress
-- ARGV[1] '1': correct    ARGV[2] how many bytes of jobs to read at most    ARGV[3], ... names of the limits
-- Returns for each name how many places the worker had, and how many of its jobs have the limit; nothing if there are
-- too many bytes.
--
-- One script, because jobs come and go at any time.
local K, counts, bytes = limit_keys(1, KEYS[8]), {}, 0
local numbers = redis.pcall('HKEYS', KEYS[8])
if has_failed(numbers) then numbers = {} end -- not a hash: no jobs are in progress there
for _, number in ipairs(numbers) do bytes = bytes + redis.call('HSTRLEN', KEYS[8], number) end
if bytes > tonumber(ARGV[2]) then return {} end
for _, number in ipairs(numbers) do count_limits(counts, redis.call('HGET', KEYS[8], number)) end
local reply = {}
for i = 3, #ARGV do
  local seen, actual = places_of(K, ARGV[i]), counts[ARGV[i]] or 0
  reply[#reply + 1] = seen.saved
  reply[#reply + 1] = actual
  seen.own = actual
  if #seen.members ~= 1 then seen.saved = -1 end -- all members are replaced
end
if ARGV[1] == '1' then save_places(K) end
return reply
