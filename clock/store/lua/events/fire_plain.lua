-- Commit decisions that push one job each, all to one queue, and nothing else: most decisions. Does what `fire` does for
-- them in less time, or nothing: if any of them needs more, the caller runs `fire`.
--
-- KEYS[1] hash event -> last decided due instant (ms)    KEYS[2] hash event -> declaration
-- KEYS[3] set of queue names    KEYS[4] hash event ('': all) -> pause, JSON    KEYS[5] the lease
-- KEYS[6] hash of the next due marker    KEYS[7] the list of the queue
-- then, for each decision, its event's history stream
-- ARGV[1] how many entries an event's history keeps    ARGV[2] release of this clock ('': none)  ARGV[3] its rank
-- ARGV[4] the decisions, a few hundred at most, as MessagePack, in columns: events, declarations, what was decided before
-- (ms, as text), due instants (ms, as text), entries of the history (JSON), payloads
-- ARGV[5] the name of the queue
-- ARGV[6], ARGV[7] event and due instant (ms) that are due next, for the marker; '', '': leave the marker
-- Returns false: nothing was committed, as a decision is not valid, its event is paused, a newer release leads or a key
-- has invalid contents. Otherwise two values: sentences about histories that could not be written, and the marker's event
-- and due instant before; false: the marker was left.
--
-- One script, because a crash between advancing the ledger and pushing the jobs would lose or double them.
local events, declarations, afters, dues, records, payloads = unpack(cmsgpack.unpack(ARGV[4]))
local HISTORIES = 7 -- keys before those of the histories

need('HSET', KEYS[1], '', '')
need('SADD', KEYS[3], '')
need('LPUSH', KEYS[7], '')
local kind = redis.pcall('TYPE', KEYS[7]).ok -- that of KEYS[3] shows when the queue is noted, before any push
if kind ~= 'list' and kind ~= 'none' then return false end
if is_outranked(KEYS[5], ARGV[2], ARGV[3]) then return false end
local decided, declared = redis.pcall('HMGET', KEYS[1], unpack(events)), redis.pcall('HMGET', KEYS[2], unpack(events))
local pauses = redis.pcall('HMGET', KEYS[4], '', unpack(events))
if decided.err or declared.err or pauses.err then return false end
local advanced, latest = {}, {} -- an event may have several decisions
for n, event in ipairs(events) do
  if (latest[event] or decided[n]) ~= afters[n] or afters[n] == dues[n] then return false end
  if declared[n] ~= declarations[n] then return false end
  latest[event] = dues[n]
  advanced[2 * n - 1], advanced[2 * n] = event, dues[n]
  if pauses[1] or pauses[n + 1] then
    for _, text in ipairs({ pauses[1], pauses[n + 1] }) do
      local is_valid, covered = true, false
      if text then is_valid, covered = pcall(is_covered, text, tonumber(dues[n])) end
      if covered or not is_valid then return false end
    end
  end
end
if type(redis.pcall('SADD', KEYS[3], ARGV[5])) ~= 'number' then return false end
if type(redis.pcall('LPUSH', KEYS[7], unpack(payloads))) ~= 'number' then return false end
redis.call('HSET', KEYS[1], unpack(advanced)) -- right after the push: an error in between would push the jobs again

local problems = {}
for n in ipairs(events) do
  problems[#problems + 1] = add_record(KEYS[HISTORIES + n], ARGV[1], records[n])
end
if ARGV[6] == '' then return { problems, false } end
local before = redis.pcall('HMGET', KEYS[6], 'event', 'due')
local set = not before.err and redis.pcall('HSET', KEYS[6], 'event', ARGV[6], 'due', ARGV[7]) -- jobs are pushed: no error
return { problems, type(set) == 'number' and before }
