-- Returns a table of the keys of concurrency limits, which are KEYS[at] and those that follow it:
-- `limits`: hash, name -> maximum that was set by hand
-- `holders`: sorted set, all scores 0: "name\vworker\vcount": so many jobs in progress of a worker have the limit;
--   or "name\njid|queue|since": a job that was blocked and has its place already
-- `reserved`: sorted set: jid of a job of the second kind -> since when (ms)
-- `blocked`: sorted set, all scores 0: "name\nturn\nqueue\npayload", in the order of their turns
-- `freed`: sorted set: payload -> turn; jobs that have their place and go to the front of their queue
-- `turn`: counter of blocked jobs
-- `paused`: set of paused queues (Sidekiq Pro's)
-- `worker`: the jobs in progress of this worker are the hash `hash`; `seen` is what this call knows of each name.
local function limit_keys(at, hash)
  local limits, holders, reserved, blocked, freed, turn, paused = unpack(KEYS, at, at + 6)
  local keys = { limits = limits, holders = holders, reserved = reserved, blocked = blocked, freed = freed }
  keys.turn, keys.paused, keys.seen = turn, paused, {}
  keys.worker = string.match(hash or '', 'clock:in_progress:(.*)$')
  return keys
end
